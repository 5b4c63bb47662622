import type { Lsn } from '@waltz/pg-structures'

/** Libraries report what happened; only the application decides whether and how to show it. */
export type Observer<Event> = (event: Event) => void

/** What a running backup tells. */
export type PushEvent =
  | { readonly type: 'started'; readonly name: string; readonly startLsn: Lsn }
  /** What there is to read, as the server estimates it. */
  | { readonly type: 'estimated'; readonly bytes: number }
  /** So many more bytes were read and packed; tar headers and padding are counted too. */
  | { readonly type: 'read'; readonly bytes: number }
  | { readonly type: 'part-started'; readonly part: string }
  | { readonly type: 'part-stored'; readonly part: string; readonly storedBytes: number }
  | { readonly type: 'phase'; readonly phase: 'copying' | 'stopping' | 'checking-wal' | 'publishing' }
  | { readonly type: 'waiting-for-wal'; readonly segment: string; readonly waitedMs: number }
  | { readonly type: 'corrupt-pages'; readonly path: string; readonly blocks: readonly number[] }
  | { readonly type: 'warning'; readonly message: string }
