/** Whether the deep counts run as well (`npm run soak`). */
export const soaking: boolean = (process.env['WALTZ_SOAK'] ?? '') !== ''

/** All forms of a store that its cases run on when soaking, otherwise the first `count`. */
export function formsToRun<Form>(forms: readonly Form[], count = 1): readonly Form[] {
  return soaking ? forms : forms.slice(0, count)
}
