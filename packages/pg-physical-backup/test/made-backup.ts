import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceOf } from '@waltz/bytes'
import { partKey } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { now, openRepository, sealedFormat } from './restore-support.ts'

/** A member of a hand-made tar. */
export interface MadeMember {
  readonly name: string
  /** The type flag of the header: '0' file, '5' directory, '2' symbolic link, '1' hard link, '6' FIFO. */
  readonly flag?: string
  readonly mode?: number
  readonly content?: string | Uint8Array
  readonly link?: string
}

/** A tar without any code of this project: what a hostile or odd writer could have made. */
export function makeTar(members: readonly MadeMember[], trailer = true): Uint8Array {
  const blocks = members.flatMap((member) => {
    const content = Buffer.from(member.content ?? '')
    const header = Buffer.alloc(512)
    header.write(member.name, 0, 100)
    header.write((member.mode ?? 0o600).toString(8).padStart(7, '0'), 100)
    header.write('0000000\x000000000\0', 108)
    header.write(content.length.toString(8).padStart(11, '0'), 124)
    header.write('00000000000\0        ', 136)
    header.write(member.flag ?? '0', 156)
    header.write(member.link ?? '', 157)
    header.write('ustar\x0000', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, ...(trailer ? [Buffer.alloc(1024)] : [])])
}

/** What a hand-made backup holds. */
export interface MadeBackup {
  readonly parts: Readonly<Record<string, readonly MadeMember[] | Uint8Array>>
  /** Keys of `Files`; undefined = no file list, as with WALG_WITHOUT_FILES_METADATA. */
  readonly files?: readonly string[] | undefined
  readonly tablespaces?: Readonly<Record<string, string>>
  /** Empty = no such part, as in remote backups. */
  readonly label?: readonly MadeMember[]
  readonly name?: string
}

export const madeName = 'base_000000010000000000000013'
const fixture = new URL('fixtures/odd-files/repo', import.meta.url).pathname

/** A label that fits the control file of the fixture. */
export const labelMember: MadeMember = {
  name: 'backup_label',
  content: 'START WAL LOCATION: 0/1300028 (file 000000010000000000000013)\nCHECKPOINT LOCATION: 0/1300060\n',
}

/** A repository in memory with one uncompressed backup; its control file is that of the committed fixture. */
export async function makeRepository(made: MadeBackup): Promise<ObjectStore> {
  const store = createMemoryStore({ now })
  const name = made.name ?? madeName
  const put = (key: string, content: Uint8Array | string): Promise<unknown> => store.put(key, sourceOf(content))
  for (const [part, members] of Object.entries(made.parts))
    await put(partKey(name, part), members instanceof Uint8Array ? members : makeTar(members))
  const label = made.label ?? [labelMember, { name: 'tablespace_map' }]
  if (label.length > 0) await put(partKey(name, 'backup_label.tar'), makeTar(label))
  const control = partKey(madeName, 'pg_control.tar.zst')
  await store.put(
    partKey(name, 'pg_control.tar'),
    await (await sealedFormat()).open(control, sourceOf(readFileSync(join(fixture, control)))),
  )
  if (made.files !== undefined) await put(`basebackups_005/${name}/files_metadata.json`, fileList(made.files))
  const spec = Object.entries(made.tablespaces ?? {})
  const sentinel = {
    LSN: 0x1300028,
    PgVersion: 150_020,
    FinishLSN: 0x1300100,
    ...(made.files === undefined ? { FilesMetadataDisabled: true } : {}),
    ...(spec.length === 0
      ? {}
      : {
          Spec: {
            base_prefix: '/old/data',
            tablespaces: spec.map(([oid]) => oid),
            ...Object.fromEntries(spec.map(([oid, loc]) => [oid, { loc, link: `pg_tblspc/${oid}` }])),
          },
        }),
    Version: 2,
    FinishTime: '2026-11-20T22:59:15.105256Z',
  }
  await put(`basebackups_005/${name}_backup_stop_sentinel.json`, JSON.stringify(sentinel))
  return store
}

function fileList(names: readonly string[]): string {
  const entry = { IsIncremented: false, IsSkipped: false, MTime: '2026-11-20T22:00:00Z', UpdatesCount: 0 }
  return JSON.stringify({ Files: Object.fromEntries(names.map((name) => [name, entry])) })
}

/** The folder of the committed fixture as a store. */
export function fixtureStore(): ObjectStore {
  return openRepository(fixture)
}
