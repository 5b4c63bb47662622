import type { NetworkFaultCase, NetworkFixture, RequestLines } from '@waltz/storage/conformance'

/** One form in which a store meets the fault cases: with small parts, without parts, in segments ... */
export interface NetworkForm {
  readonly name: string
  readonly http: boolean
  readonly partBytes: number | undefined
  readonly requests: RequestLines | undefined
  /** Every reason for which a case cannot apply to this form: none is left out for another one. */
  readonly cannotHappen: readonly string[]
}

/** Why the case cannot apply to the form; undefined when it does. */
export function reasonAgainst(item: NetworkFaultCase, { http, partBytes, requests }: NetworkForm): string | undefined {
  return item.notApplicable({
    http,
    partBytes,
    // Every networked store's fixture opens one.
    openUnresolvable: () => Promise.reject(new Error('nothing is run here')),
    ...(requests === undefined ? {} : { requests }),
  } as Partial<NetworkFixture> as NetworkFixture)
}

/** Those of `cases` that run in no earlier form than the one at `index`: each runs in the first form that it applies to. */
export function casesFirstIn(
  forms: readonly NetworkForm[],
  index: number,
  cases: readonly NetworkFaultCase[],
): readonly NetworkFaultCase[] {
  return cases.filter((item) => forms.findIndex((form) => reasonAgainst(item, form) === undefined) === index)
}
