/** Lines for people, on standard error: `INFO: 2026/03/01 02:10:44.123456 text`, as WAL-G writes them (CMD 1.4). */
export interface Log {
  debug(text: string): void
  info(text: string): void
  warn(text: string): void
  error(text: string): void
}
