/** Lines for people, on standard error: `INFO: 2026/03/01 02:10:44.123456 text`, as WAL-G writes them (CMD 1.4). */
export interface Log {
  debug(text: string): void
  info(text: string): void
  warn(text: string): void
  error(text: string): void
}

/** NORMAL: all but debug lines. DEVEL: those too. ERROR: errors only. */
export type LogLevel = 'NORMAL' | 'DEVEL' | 'ERROR'

/** What a log writes with: `write` gets whole lines without their end. */
export interface LogParts {
  readonly write: (line: string) => void
  readonly now: () => Date
  readonly level: LogLevel
}

/** Makes a log. Times are local, as the clock of the process has them. */
export function createLog({ write, now, level }: LogParts): Log {
  const put = (prefix: string, text: string): void => write(`${prefix}: ${formatLogTime(now())} ${text}`)
  const silent = (): void => undefined
  const normal = level !== 'ERROR'
  return {
    debug: level === 'DEVEL' ? (text) => put('DEBUG', text) : silent,
    info: normal ? (text) => put('INFO', text) : silent,
    warn: normal ? (text) => put('WARNING', text) : silent,
    error: (text) => put('ERROR', text),
  }
}

/** `2026/03/01 02:10:44.123000`: local time; the last three digits are beyond what the clock tells. */
export function formatLogTime(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}/${two(at.getMonth() + 1)}/${two(at.getDate())}`
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, '0')}000`
}
