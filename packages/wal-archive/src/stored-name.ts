import { classifyWalFileName } from '@waltz/pg-structures'

/** The order in which WAL-G looks for a file (RF 8.1): `.` stands for a trailing dot, the empty text for the bare name. */
const PROBE_ORDER: readonly string[] = ['lz4', 'lzma', 'gz', '.', 'br', 'lzo', 'zst', '']

/** How an object that begins with a wanted name relates to it. */
export type NameMatch =
  /** It is the file. `rank` orders several: the lowest is read. */
  | { readonly kind: 'readable'; readonly rank: number }
  /** It is the file in a form that cannot be read here. */
  | { readonly kind: 'unreadable' }
  /** It is another file, a sidecar, or an upload in progress. */
  | { readonly kind: 'other' }

const OTHER: NameMatch = { kind: 'other' }
const SIDECAR = /^\.json$/
const OTHER_FILE_OF_SEGMENT = /^(\.partial|\.[0-9A-Fa-f]{8}\.backup)(\.|$)/
const UPLOAD_IN_PROGRESS = /\.tmp\.\d{8}T\d{6}Z-[0-9a-f]{16}$/

/**
 * Compares an object of `wal_005/` with a wanted file name. `extensions` are those that can be read.
 * Names that are no WAL names are matched by known extensions only: a longer name may be a file of its own.
 */
export function matchStoredName(name: string, storedName: string, extensions: readonly string[]): NameMatch {
  if (!storedName.startsWith(name)) return OTHER
  const rest = storedName.slice(name.length)
  if (rest === '') return { kind: 'readable', rank: PROBE_ORDER.indexOf('') }
  if (rest === '.') return { kind: 'readable', rank: PROBE_ORDER.indexOf('.') }
  if (!rest.startsWith('.')) return OTHER
  const extension = rest.slice(1)
  const rank = PROBE_ORDER.indexOf(extension)
  if (extensions.includes(extension)) return { kind: 'readable', rank: rank === -1 ? PROBE_ORDER.length : rank }
  return rank === -1 && isOtherFile(name, rest) ? OTHER : { kind: 'unreadable' }
}

/** Every name under which a file can be stored in a form that can be read, the one that a reader prefers first. */
export function readableNames(name: string, extensions: readonly string[]): readonly string[] {
  const names = [name, `${name}.`, ...extensions.filter((extension) => extension !== '').map((extension) => `${name}.${extension}`)]
  const rank = (storedName: string): number => {
    const match = matchStoredName(name, storedName, extensions)
    return match.kind === 'readable' ? match.rank : Infinity
  }
  return names.sort((a, b) => rank(a) - rank(b))
}

function isOtherFile(name: string, rest: string): boolean {
  const wal = classifyWalFileName(name)
  if (wal === undefined || SIDECAR.test(rest) || UPLOAD_IN_PROGRESS.test(rest)) return true
  return wal.kind === 'segment' && OTHER_FILE_OF_SEGMENT.test(rest)
}

/** The archived file that an object of `wal_005/` holds: its name without the extension of a codec. */
export function archivedNameOf(storedName: string): string {
  const dot = storedName.lastIndexOf('.')
  if (dot === -1) return storedName
  const extension = storedName.slice(dot + 1)
  return extension === '' || PROBE_ORDER.includes(extension) ? storedName.slice(0, dot) : storedName
}
