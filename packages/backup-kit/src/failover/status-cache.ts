import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { StorageStatus } from './aliveness.ts'

/** What all processes of a user know about their storages, by `name#hash`. */
export type StatusTable = ReadonlyMap<string, StorageStatus>

/** The file that they share. */
export interface StatusCache {
  /** What is in the file; empty when there is none. Never rejects: what is wrong with the file is told. */
  load(): Promise<StatusTable>
  /** Puts newer entries into the file, and keeps what others wrote meanwhile where that is newer. Never rejects. */
  save(entries: StatusTable): Promise<void>
  /** Whether the file is absent or was not written for five minutes: WAL-G's time between two writes (SET 6). */
  isDue(): Promise<boolean>
}

/** What a cache is made from. */
export interface StatusCacheOptions {
  readonly path: string
  readonly now: () => Date
  readonly randomHex: (digits: number) => string
  /** Told once about a file that cannot be read or written: a convenience is lost, nothing else. */
  readonly onTrouble: (message: string) => void
}

const FLUSH_EVERY_MS = 300_000
const MAX_BYTES = 1_048_576

/** The file for reading commands or for writing ones, where WAL-G has it (SET 6). */
export function statusCachePath(home: string | undefined, purpose: 'read' | 'write'): string {
  const folder = home === undefined || home === '' ? '/tmp' : home
  return `${folder}/.walg_storage_${purpose === 'read' ? 'ro' : 'rw'}_status_cache`
}

/**
 * A cache in WAL-G's format. It is replaced as a whole, so that nobody sees half of it; two processes that write at the same time may
 * lose each other's last entry, which the next trial brings back.
 */
export function createStatusCache({ path, now, randomHex, onTrouble }: StatusCacheOptions): StatusCache {
  let told = false
  const tell = (what: string, error: unknown): void => {
    if (told) return
    told = true
    const why = (error as { readonly code?: string }).code ?? (error instanceof Error ? error.message : 'unknown reason')
    onTrouble(`the cache of storage statuses ${path} cannot be ${what} (${why}): storages are tried more often`)
  }
  const read = async (): Promise<Record<string, unknown>> => {
    try {
      const text = await readFile(path, 'utf8')
      if (text.length > MAX_BYTES) throw new Error('it is too large')
      const parsed: unknown = JSON.parse(text)
      return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : {}
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'ENOENT') tell('read', error instanceof SyntaxError ? { code: 'no JSON' } : error)
      return {}
    }
  }
  return {
    async load() {
      return decodeTable(await read())
    },
    async save(entries) {
      const kept = await read()
      const stored = decodeTable(kept)
      for (const [key, status] of entries) if (status.updatedMs >= (stored.get(key)?.updatedMs ?? 0)) kept[key] = encodeStatus(status)
      const temporary = `${path}.tmp-${randomHex(16)}`
      try {
        await writeFile(temporary, JSON.stringify(kept), { mode: 0o600, flag: 'wx' })
        await rename(temporary, path)
      } catch (error) {
        tell('written', error)
        // What keeps a file from being written keeps it from being removed, too. It is told, and nothing in the file is secret.
        await rm(temporary, { force: true }).catch(() => undefined)
      }
    },
    async isDue() {
      const writtenMs = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      )
      return now().getTime() - writtenMs >= FLUSH_EVERY_MS
    },
  }
}

function decodeTable(entries: Readonly<Record<string, unknown>>): Map<string, StorageStatus> {
  const table = new Map<string, StorageStatus>()
  for (const [key, entry] of Object.entries(entries)) {
    const status = decodeStatus(entry)
    if (status !== undefined) table.set(key, status)
  }
  return table
}

function decodeStatus(entry: unknown): StorageStatus | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const fields = entry as Readonly<Record<string, unknown>>
  const potential = fields['potential_aliveness']
  const actual = fields['actual_aliveness']
  const alive = fields['previous_aliveness']
  const updatedMs = Date.parse(String(fields['updated']))
  if (typeof potential !== 'number' || typeof actual !== 'number' || typeof alive !== 'boolean' || Number.isNaN(updatedMs)) return undefined
  return { potential, actual, alive, updatedMs }
}

function encodeStatus({ potential, actual, alive, updatedMs }: StorageStatus): unknown {
  return {
    potential_aliveness: potential,
    actual_aliveness: actual,
    previous_aliveness: alive,
    updated: new Date(updatedMs).toISOString(),
  }
}
