import type { OffsetAt } from '@waltz/repository'

/** The zone that modification times are shown in. */
export interface TimeZone {
  readonly offsetMinutesAt: OffsetAt
  /** The zone's short name at a moment, in milliseconds since 1970: `UTC`, `CET`. */
  readonly nameAt: (ms: number) => string
}

/** The zone of the process: the times of a file storage are shown in it (CMD 3.3). */
export const localZone: TimeZone = {
  offsetMinutesAt: (ms) => -Math.trunc(new Date(ms).getTimezoneOffset()),
  nameAt: localZoneName,
}

/** Each English knows the short names of its own part of the world only. */
const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-ZA', 'en-IN']
const OFFSET = /^GMT([+-])(\d{1,2})(?::(\d{2}))?$/

/** Made when the first time is shown: making one takes as long as showing a thousand times with it. */
let formats: readonly Intl.DateTimeFormat[] | undefined

/** `UTC`, `CET`; zones without a name come as `GMT+3`, which the time-zone database calls `+03`. */
function localZoneName(ms: number): string {
  formats ??= LOCALES.map((locale) => new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }))
  const names = formats.map((format) => format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC')
  const [first = 'UTC'] = names
  const [, sign = '', hours = '', minutes = ''] = OFFSET.exec(first) ?? []
  return names.find((name) => !OFFSET.test(name)) ?? sign + hours.padStart(2, '0') + minutes
}
