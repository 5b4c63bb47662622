import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../src/index.ts'
import type { FakeIo } from './fake-io.ts'

/** What one run printed, and its exit code. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs the command; what earlier runs printed into the same place is left out. */
export async function runIn(io: FakeIo, argv: readonly string[]): Promise<Ended> {
  const before = [io.out().length, io.err().length] as const
  const code = await run(argv, io)
  return { code, out: io.out().slice(before[0]), err: io.err().slice(before[1]) }
}

/** Writes an object of a repository in a folder. */
export function storeIn(root: string, key: string, text: string): void {
  const path = join(root, key)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** A full backup of a repository in a folder. */
export interface FolderBackup {
  /** The segment of 16 MiB that it began in. */
  readonly number: number
  readonly start: string
  readonly permanent?: boolean
  readonly system?: number
}

/** Stores what tells of a backup, and one part; its name. `segment` names a segment. */
export function storeBackup(
  root: string,
  { number, start, permanent = false, system = 7 }: FolderBackup,
  segment: (number: number) => string,
): string {
  const name = `base_${segment(number)}`
  const folder = `basebackups_005/${name}`
  const lsn = number * 16 * 1_048_576 + 40
  const times = { start_time: start, finish_time: start, start_lsn: lsn, finish_lsn: lsn + 300 }
  storeIn(root, `${folder}/tar_partitions/part_001.tar.lz4`, 'data')
  storeIn(root, `${folder}/metadata.json`, JSON.stringify({ ...times, is_permanent: permanent, system_identifier: system }))
  const sentinel = { LSN: lsn, FinishLSN: lsn + 300, PgVersion: 150_020, Version: 2 }
  storeIn(root, `${folder}_backup_stop_sentinel.json`, JSON.stringify(sentinel))
  return name
}
