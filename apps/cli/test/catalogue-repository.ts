import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A backup that a test puts into a folder; positions are segments of 16 MiB. */
export interface PutBackup {
  readonly segment: number
  readonly parent?: string
  readonly depth?: number
  readonly permanent?: boolean
  readonly started?: string
  readonly sentinel?: boolean
  readonly partBytes?: number
  readonly files?: readonly string[]
  readonly userData?: string
}

/** The name of a segment on timeline 1. */
export const segment = (number: number): string => `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`

/** A repository in a folder; every object is a minute younger than the one before. */
export function folderRepository(
  root: string,
  begin: string,
): { put(key: string, text: string): void; add(backup: PutBackup): string; wal(first: number, last: number): void } {
  let at = new Date(begin).getTime()
  const put = (key: string, text: string): void => {
    const path = join(root, key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    at += 60_000
    utimesSync(path, at / 1000, at / 1000)
  }
  return {
    put,
    add({
      segment: number,
      parent,
      depth = 1,
      permanent = false,
      started = '2026-03-01T10:00:00Z',
      sentinel = true,
      partBytes = 50,
      files,
      userData,
    }) {
      const name = `base_${segment(number)}${parent === undefined ? '' : `_D_${parent.slice(5, 29)}`}`
      const start = number * 16_777_216 + 40
      const facts = { start_time: started, finish_time: started, date_fmt: '%Y', hostname: 'db1', data_dir: '/pg', pg_version: 150020 }
      const sizes = { system_identifier: 77, uncompressed_size: 1000 + number, compressed_size: 100 }
      put(`basebackups_005/${name}/tar_partitions/part_001.tar.lz4`, 'x'.repeat(partBytes))
      if (files !== undefined) {
        const entries = files.map((file) => [
          file,
          { IsIncremented: file.endsWith('1'), IsSkipped: false, MTime: '2026-03-01T09:00:00Z', UpdatesCount: 0 },
        ])
        put(`basebackups_005/${name}/files_metadata.json`, JSON.stringify({ Files: Object.fromEntries(entries) }))
      }
      const data = userData === undefined ? '' : `,"user_data":${userData}`
      put(
        `basebackups_005/${name}/metadata.json`,
        `${JSON.stringify({ ...facts, start_lsn: start, finish_lsn: start + 200, is_permanent: permanent, ...sizes }).slice(0, -1)}${data}}`,
      )
      const increment =
        parent === undefined ? {} : { DeltaLSN: 1, DeltaFrom: parent, DeltaFullName: parent.replace(/_D_.*/, ''), DeltaCount: depth }
      if (sentinel)
        put(
          `basebackups_005/${name}_backup_stop_sentinel.json`,
          JSON.stringify({ LSN: start, ...increment, PgVersion: 150020, FinishLSN: start + 200 }),
        )
      return name
    },
    wal(first, last) {
      for (let number = first; number <= last; number += 1) put(`wal_005/${segment(number)}.lz4`, 'x')
    },
  }
}
