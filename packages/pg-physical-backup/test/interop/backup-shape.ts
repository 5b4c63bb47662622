import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, zstdDecompressSync } from 'node:zlib'

/** One tar member, reduced to what a comparison needs. */
export interface ShapeMember {
  readonly name: string
  /** As in the header: `0` file, `5` directory, `2` symbolic link, `6` pipe. */
  readonly type: string
  readonly size: number
  /** All header blocks of the member, PAX blocks included, in base64. */
  readonly header: string
  /** Content of small special members, in base64. */
  readonly content?: string
}

/** Everything of a stored backup but the contents of its files. */
export interface BackupShape {
  readonly name: string
  /** Objects of the backup below `basebackups_005/`, without Waltz's own. */
  readonly objects: readonly string[]
  readonly parts: readonly { readonly part: string; readonly members: readonly ShapeMember[] }[]
  readonly sentinel: string
  readonly metadata: string
  readonly filesMetadata: string | undefined
}

const KEPT_CONTENT = /(?:^|\/)(?:pg_control|backup_label|tablespace_map)$/

/** Reads the shape of one backup of a repository in a directory. Small backups only: everything is held in memory. */
export function readBackupShape(repository: string, name: string): BackupShape {
  const base = join(repository, 'basebackups_005')
  const below = readdirSync(join(base, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(base.length + 1))
    .filter((key) => !key.startsWith(`${name}/waltz/`))
  const sentinel = `${name}_backup_stop_sentinel.json`
  const list = `${name}/files_metadata.json`
  const text = (key: string): string => readFileSync(join(base, key), 'utf8')
  return {
    name,
    objects: [...below, sentinel].sort(),
    parts: below
      .filter((key) => key.startsWith(`${name}/tar_partitions/`))
      .sort()
      .map((key) => ({ part: key.slice(key.lastIndexOf('/') + 1), members: readMembers(decompress(readFileSync(join(base, key)), key)) })),
    sentinel: text(sentinel),
    metadata: text(`${name}/metadata.json`),
    filesMetadata: below.includes(list) ? text(list) : undefined,
  }
}

function decompress(bytes: Buffer, key: string): Buffer {
  if (key.endsWith('.zst')) return zstdDecompressSync(bytes)
  return key.endsWith('.br') ? brotliDecompressSync(bytes) : bytes
}

/** A tar walk of its own, so that the comparison rests on no code that it compares. */
function readMembers(tar: Buffer): ShapeMember[] {
  const members: ShapeMember[] = []
  let start = 0
  let longName: string | undefined
  for (let at = 0; tar[at] !== 0;) {
    const header = tar.subarray(at, at + 512)
    const field = (from: number, length: number): string => header.toString('utf8', from, from + length).replace(/\0.*$/s, '')
    const size = Number.parseInt(field(124, 12), 8)
    const type = field(156, 1) === '' ? '0' : field(156, 1)
    const next = at + 512 + Math.ceil(size / 512) * 512
    if (type === 'x') {
      longName = /\d+ path=([^\n]*)\n/.exec(tar.toString('utf8', at + 512, at + 512 + size))?.[1]
    } else {
      const prefix = field(345, 155)
      const name = longName ?? (prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`)
      const content = KEPT_CONTENT.test(name) ? { content: tar.toString('base64', at + 512, at + 512 + size) } : {}
      members.push({ name, type, size, header: tar.toString('base64', start, at + 512), ...content })
      longName = undefined
      start = next
    }
    at = next
  }
  return members
}
