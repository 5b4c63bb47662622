import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { brotliCompressSync, constants, zstdCompressSync } from 'node:zlib'
import { createXxh32 } from '../../src/strict/xxh32.ts'

/** A tar member as a test wants it. */
export interface ModelMember {
  name: string
  type?: string
  content?: string | Uint8Array
  linkname?: string
  /** Changes the finished header block, before its checksum is computed. */
  header?: (block: Buffer) => void
  /** Changes it after. */
  spoil?: (block: Buffer) => void
}

/** A stored tar. */
export interface ModelTar {
  members: ModelMember[]
  /** Replaces the two zero blocks. */
  trailer?: Uint8Array
  /** Changes the stored bytes. */
  stored?: (bytes: Buffer) => Buffer
}

/** A small repository, right in every point, for tests to damage in one. */
export interface Model {
  suffix: '' | 'lz4' | 'zst' | 'br'
  name: string
  sentinel: Record<string, unknown>
  metadata: Record<string, unknown>
  files: Record<string, Record<string, unknown>>
  tarFileSets: Record<string, string[]>
  tars: Record<string, ModelTar>
  /** Further objects, by path below the root. Undefined leaves an object of the model out. */
  objects: Record<string, Uint8Array | undefined>
  /** Changes JSON texts before they are written. */
  text: (path: string, json: string) => string
}

const LSN = 2_097_192
const SYSTEM = '7402951873649102847'
const DATE_FORMAT = '%Y-%m-%dT%H:%M:%S.%fZ'

/** The model, undamaged. */
export function modelRepository(suffix: Model['suffix'] = ''): Model {
  const dot = suffix === '' ? '' : `.${suffix}`
  const name = 'base_000000010000000000000002'
  const part1 = ['/', '/PG_VERSION', '/base', '/base/5', '/base/5/1259', '/global', '/pg_wal']
  const part2 = ['/base/5/16384', '/pg_tblspc', '/pg_tblspc/16400/PG_15', '/pg_tblspc/16400/PG_15/1']
  const directories = new Set(['/', '/base', '/base/5', '/global', '/pg_wal', '/pg_tblspc', '/pg_tblspc/16400/PG_15'])
  const member = (path: string): ModelMember =>
    directories.has(path) ? { name: path, type: '5' } : { name: path, content: `content of ${path}` }
  const label = 'START WAL LOCATION: 0/200028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: 0/200060\n'
  const tars: Model['tars'] = {
    [`part_001.tar${dot}`]: { members: part1.map(member) },
    [`part_003.tar${dot}`]: { members: part2.map(member) },
    [`pg_control.tar${dot}`]: { members: [{ name: '/global/pg_control', content: new Uint8Array(8192) }] },
    [`backup_label.tar${dot}`]: {
      members: [
        { name: 'backup_label', content: label },
        { name: 'tablespace_map', content: '16400 /mnt/ts\n' },
      ],
    },
  }
  const bytes = Object.values(tars)
    .flatMap((tar) => tar.members)
    .reduce((sum, { content = '' }) => sum + content.length, 0)
  const times = ['2026-03-01T10:00:00.123457Z', '2026-03-01T10:00:04.5Z']
  const entry = { IsIncremented: false, IsSkipped: false, MTime: '2026-03-01T13:00:00.000000001+03:00', UpdatesCount: 0 }
  const spec = { base_prefix: '/srv/pg', tablespaces: ['16400'], 16400: { loc: '/mnt/ts', link: 'pg_tblspc/16400' } }
  return {
    suffix,
    name,
    sentinel: {
      LSN,
      PgVersion: 150_020,
      FinishLSN: LSN + 272,
      SystemIdentifier: BigInt(SYSTEM),
      UncompressedSize: bytes,
      CompressedSize: 1,
      DataCatalogSize: 5,
      Spec: spec,
      ChkpNum: null,
      Version: 2,
      StartTime: times[0],
      FinishTime: times[1],
      DateFmt: DATE_FORMAT,
      Hostname: 'db1',
      DataDir: '/srv/pg',
      IsPermanent: false,
    },
    metadata: {
      start_time: times[0],
      finish_time: times[1],
      date_fmt: DATE_FORMAT,
      hostname: 'db1',
      data_dir: '/srv/pg',
      pg_version: 150_020,
      start_lsn: LSN,
      finish_lsn: LSN + 272,
      is_permanent: false,
      system_identifier: BigInt(SYSTEM),
      uncompressed_size: bytes,
      compressed_size: 1,
    },
    files: Object.fromEntries([...part1, ...part2].map((path) => [path, { ...entry }])),
    tarFileSets: {
      [`part_001.tar${dot}`]: part1,
      [`part_003.tar${dot}`]: part2,
      [`backup_label.tar${dot}`]: ['tablespace_map', 'backup_label'],
    },
    tars,
    objects: {
      [`wal_005/000000010000000000000002${dot}`]: encode(suffix, segment(2)),
      [`wal_005/000000010000000000000002.00000028.backup${dot}`]: encode(suffix, Buffer.from(label)),
      [`wal_005/00000002.history${dot}`]: encode(suffix, Buffer.from('1\t0/3000000\tno recovery target specified\n')),
    },
    text: (_path, json) => json,
  }
}

/** A segment of 1 MiB with a right first page. */
export function segment(number: number, system: string = SYSTEM): Buffer {
  const bytes = Buffer.alloc(2 ** 20)
  bytes.writeUInt16LE(0xd110, 0)
  bytes.writeUInt16LE(2, 2)
  bytes.writeUInt32LE(1, 4)
  bytes.writeBigUInt64LE(BigInt(number) * 2n ** 20n, 8)
  bytes.writeBigUInt64LE(BigInt(system), 24)
  bytes.writeUInt32LE(bytes.length, 32)
  bytes.writeUInt32LE(8192, 36)
  return bytes
}

/** Writes the model below `root`. */
export function writeModel(model: Model, root: string): void {
  const backup = `basebackups_005/${model.name}`
  const documents: Record<string, unknown> = {
    [`basebackups_005/${model.name}_backup_stop_sentinel.json`]: model.sentinel,
    [`${backup}/metadata.json`]: model.metadata,
    [`${backup}/files_metadata.json`]: { Files: model.files, TarFileSets: model.tarFileSets, DatabasesByNames: { app: { oid: 5 } } },
  }
  const objects: Record<string, Uint8Array | undefined> = {}
  for (const [path, document] of Object.entries(documents)) objects[path] = Buffer.from(model.text(path, toJson(document)))
  for (const [name, tar] of Object.entries(model.tars)) {
    const stored = encode(model.suffix, tarBytes(tar))
    objects[`${backup}/tar_partitions/${name}`] = tar.stored?.(stored) ?? stored
  }
  for (const [path, bytes] of Object.entries({ ...objects, ...model.objects })) {
    if (bytes === undefined) continue
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), bytes)
  }
}

function toJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, entry]) => `${JSON.stringify(key)}:${toJson(entry)}`)
    .join(',')}}`
}

/** A header block of 512 bytes. */
export function tarHeader(member: ModelMember, size: number): Buffer {
  const block = Buffer.alloc(512)
  block.write(member.name, 0, 100)
  block.write('0000600\0', 100)
  block.write('0000032\0', 108)
  block.write('0000032\0', 116)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('15151515151\0', 136)
  block.write(member.type ?? '0', 156)
  block.write(member.linkname ?? '', 157)
  block.write('ustar\x0000postgres', 257)
  block.write('postgres', 297)
  block.write('0000000\x000000000\0', 329)
  member.header?.(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  member.spoil?.(block)
  return block
}

function tarBytes(tar: ModelTar): Buffer {
  const blocks = tar.members.flatMap((member) => {
    const content = Buffer.from(member.content ?? '')
    return [tarHeader(member, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, tar.trailer ?? Buffer.alloc(1024)])
}

/** Compresses as RF 6 has it. */
export function encode(suffix: Model['suffix'], bytes: Buffer): Buffer {
  if (suffix === 'zst') return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  if (suffix === 'br') return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } })
  return suffix === 'lz4' ? storedLz4Frame(bytes) : bytes
}

/** An LZ4 frame whose blocks are stored as they are. */
function storedLz4Frame(bytes: Buffer): Buffer {
  const word = (value: number): Buffer => {
    const buffer = Buffer.alloc(4)
    buffer.writeUInt32LE(value >>> 0)
    return buffer
  }
  const blocks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 2 ** 22) {
    const block = bytes.subarray(at, at + 2 ** 22)
    blocks.push(word(0x8000_0000 + block.length), block)
  }
  const hash = createXxh32()
  hash.update(bytes)
  return Buffer.concat([Buffer.from('04224d186470b9', 'hex'), ...blocks, word(0), word(hash.digest())])
}
