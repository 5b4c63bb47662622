import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCodecRegistry } from '@waltz/codecs'
import { formatLsn, type Lsn } from '@waltz/pg-structures'
import { createSealedFormat, parseJson, parseTimestamp } from '@waltz/repository'
import { createFileStore } from '@waltz/storage-file'
import { pushBackup, type EntryFacts, type PushSurroundings, type SqlConnection } from '../../src/index.ts'
import { request } from '../push/fakes.ts'
import { readBackupShape, type BackupShape, type ShapeMember } from './backup-shape.ts'

/** Members that WAL-G stored and Waltz leaves out, and the other way round: all there may be (docs/decisions/0010). */
const DIFFERENCES: Readonly<Record<string, { codec: string; missing: string[]; added: string[] }>> = {
  'odd-files': {
    codec: 'zstd',
    missing: ['/base/16384/pg_internal.init', '/base/16384/t3_16999', '/extra/fifo', '/global/pg_internal.init'],
    added: ['/pg_wal/archive_status'],
  },
  tablespaces: {
    codec: 'brotli',
    // An unlogged table with its index and TOAST, and relation caches.
    missing: [...unlogged('16829', '16829_fsm', '16832', '16833', '16834'), '/base/16384/pg_internal.init', '/global/pg_internal.init'],
    added: ['/pg_wal/archive_status'],
  },
  'without-files-metadata': {
    codec: 'zstd',
    missing: [...unlogged('16820', '16820_fsm', '16823', '16824', '16825'), '/base/16384/pg_internal.init', '/global/pg_internal.init'],
    added: ['/pg_wal/archive_status'],
  },
}

function unlogged(...names: string[]): string[] {
  return names.map((name) => `/base/16384/${name}`)
}

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waltz-same-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe.each(Object.entries(DIFFERENCES))('a backup in the situation of %s', (name, { codec, missing, added }) => {
  const expected = JSON.parse(
    gunzipSync(readFileSync(new URL(`../fixtures/shapes/${name}.json.gz`, import.meta.url))).toString(),
  ) as BackupShape

  it('has the objects, the members, the headers and the documents that WAL-G wrote', async () => {
    const actual = await backUpAgain(expected, codec)
    expect(actual.objects).toEqual(expected.objects)

    const wanted = new Map(expected.parts.map((part) => [part.part, part.members]))
    for (const { part, members } of actual.parts) {
      const theirs = (wanted.get(part) ?? []).filter((member) => !missing.includes(member.name))
      const ours = members.filter((member) => !added.includes(member.name))
      expect(ours.map((member) => member.name)).toEqual(theirs.map((member) => member.name))
      for (const [index, member] of ours.entries()) expect(member, member.name).toEqual(theirs[index])
    }
    const names = (shape: BackupShape): string[] => shape.parts.flatMap((part) => part.members.map((member) => member.name))
    expect(names(expected).filter((member) => !names(actual).includes(member))).toEqual(missing)
    expect(names(actual).filter((member) => !names(expected).includes(member))).toEqual(added)

    compareDocuments(actual, expected)
    compareFileLists(actual, expected, { missing, added })
  })
})

function compareDocuments(actual: BackupShape, expected: BackupShape): void {
  const theirs = JSON.parse(expected.sentinel) as Record<string, unknown>
  const ours = JSON.parse(actual.sentinel) as Record<string, unknown>
  expect(Object.keys(ours)).toEqual(Object.keys(theirs))
  // Exact integers, as texts of the documents have them.
  for (const key of ['LSN', 'FinishLSN', 'SystemIdentifier', 'PgVersion', 'Version', 'ChkpNum']) {
    expect(numberText(actual.sentinel, key), key).toBe(numberText(expected.sentinel, key))
  }
  expect(types(ours)).toEqual(types(theirs))
  expect({ ...ours, Spec: undefined }).toMatchObject(pick(theirs, ['DateFmt', 'Hostname', 'IsPermanent', 'FilesMetadataDisabled']))
  const spec = (sentinel: Record<string, unknown>): string => JSON.stringify(sentinel['Spec'] ?? null)
  expect(spec(ours).replaceAll(root, '/recorded')).toBe(relocated(spec(theirs)))

  const theirMetadata = JSON.parse(expected.metadata) as Record<string, unknown>
  const ourMetadata = JSON.parse(actual.metadata) as Record<string, unknown>
  expect(Object.keys(ourMetadata)).toEqual(Object.keys(theirMetadata))
  expect(types(ourMetadata)).toEqual(types(theirMetadata))
  for (const key of ['start_lsn', 'finish_lsn', 'system_identifier', 'pg_version'])
    expect(numberText(actual.metadata, key), key).toBe(numberText(expected.metadata, key))
}

function compareFileLists(actual: BackupShape, expected: BackupShape, differences: { missing: string[]; added: string[] }): void {
  expect(actual.filesMetadata === undefined).toBe(expected.filesMetadata === undefined)
  if (actual.filesMetadata === undefined || expected.filesMetadata === undefined) return
  type List = { Files: Record<string, unknown>; TarFileSets: Record<string, string[]> }
  const theirs = JSON.parse(expected.filesMetadata) as List
  const ours = JSON.parse(actual.filesMetadata) as List
  const without = (names: string[], left: string[]): string[] => names.filter((name) => !left.includes(name))
  expect(Object.keys(ours.TarFileSets).sort()).toEqual(Object.keys(theirs.TarFileSets).sort())
  for (const [part, names] of Object.entries(ours.TarFileSets)) {
    expect(without(names, differences.added), part).toEqual(without(theirs.TarFileSets[part] ?? [], differences.missing))
  }
  for (const name of differences.missing) delete theirs.Files[name]
  for (const name of differences.added) delete ours.Files[name]
  expect(ours.Files).toEqual(theirs.Files)
}

/** Makes files of the recorded names, sizes and facts, and backs them up from a server that answers as the recorded one did. */
async function backUpAgain(shape: BackupShape, codecName: string): Promise<BackupShape> {
  const data = join(root, 'data')
  const sentinel = parseJson(shape.sentinel, { origin: 'the recorded sentinel' }) as Record<string, any>
  const spec = (sentinel['Spec'] ?? { tablespaces: [] }) as Record<string, any>
  for (const tablespace of spec['tablespaces'] as string[])
    mkdirSync(join(root, relocated(spec[tablespace].loc as string).replace('/recorded/', '')), { recursive: true })
  const members = shape.parts.flatMap((part) => part.members)
  const content = (name: string): Buffer => Buffer.from(members.find((member) => member.name === name)?.content ?? '', 'base64')
  for (const member of members) if (member.name.startsWith('/')) plant(data, member, spec)
  for (const tablespace of spec['tablespaces'] as string[]) {
    symlinkSync(join(root, relocated(spec[tablespace].loc as string).replace('/recorded/', '')), join(data, 'pg_tblspc', tablespace))
  }
  writeFileSync(join(data, 'global/pg_control'), content('/global/pg_control'))

  const registry = createCodecRegistry()
  const format = createSealedFormat({ codec: await registry.byName(codecName), registry })
  mkdirSync(join(root, 'repository'))
  const times = [sentinel['StartTime'], sentinel['FinishTime']].map(
    (text: string) => new Date(Number((parseTimestamp(text)?.ns ?? 0n) / 1_000_000n)),
  )
  let random = 0
  const around: PushSurroundings = {
    store: createFileStore({
      root: join(root, 'repository'),
      now: () => times[0] ?? new Date(0),
      randomHex: (digits) => String((random += 1)).padStart(digits, '0'),
    }),
    format,
    connect: async () =>
      recordedServer(data, sentinel, { label: content('backup_label').toString(), map: content('tablespace_map').toString() }),
    wal: { admit: async () => undefined, ensure: async () => ({ pushed: [], present: [], pending: [] }) },
    now: () => times.shift() ?? new Date(0),
    sleep: (ms, signal) =>
      new Promise((resolve) => (signal?.addEventListener('abort', () => resolve()), setTimeout(resolve, Math.min(ms, 2_000)).unref())),
    offsetMinutesAt: () => 0,
    randomHex: (digits) => String((random += 1)).padStart(digits, '0'),
    hostname: sentinel['Hostname'] as string,
    processId: 1,
    spoolFolder: root,
    observe: () => undefined,
    tool: { name: 'waltz', version: 'test' },
    owners: { of: () => ownerNames(members) },
    factsOf: (name) => recordedFacts(name, shape, members),
  }
  await pushBackup(request(data, { withoutFilesMetadata: shape.filesMetadata === undefined }), around)
  return readBackupShape(join(root, 'repository'), shape.name)
}

/** The recorded paths, as if everything had lain below `/recorded`. */
function relocated(text: string): string {
  return text.replace(/\/srv\/fx\/c\/[^/"]+\/pgdata/g, '/recorded/data').replace(/\/srv\/fx\/c\/[^/"]+\//g, '/recorded/')
}

function plant(data: string, member: ShapeMember, spec: Record<string, any>): void {
  const tablespace = /^\/pg_tblspc\/(\d+)(\/.*)$/.exec(member.name)
  const path =
    tablespace === null
      ? join(data, member.name)
      : join(root, relocated(spec[tablespace[1] ?? ''].loc as string).replace('/recorded/', ''), tablespace[2] ?? '')
  if (member.type === '5') mkdirSync(path, { recursive: true })
  else if (member.type === '0') {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '')
    truncateSync(path, member.size)
  }
}

/** The last 512 bytes of the recorded header: the member's own block, behind any PAX blocks. */
function headerOf(member: ShapeMember): Buffer {
  return Buffer.from(member.header, 'base64').subarray(-512)
}

function ownerNames(members: readonly ShapeMember[]): { userName: string; groupName: string } {
  const header = headerOf(members.find((member) => member.name === '/') ?? { name: '', type: '', size: 0, header: '' })
  const text = (from: number): string => header.toString('utf8', from, from + 32).replace(/\0.*$/s, '')
  return { userName: text(265), groupName: text(297) }
}

function recordedFacts(name: string, shape: BackupShape, members: readonly ShapeMember[]): EntryFacts {
  const member = members.find((candidate) => candidate.name === name)
  if (member === undefined) return { mode: 0o700, uid: 0, gid: 0, modifiedAtNs: 0n }
  const header = headerOf(member)
  const octal = (from: number, length: number): number => Number.parseInt(header.toString('latin1', from, from + length), 8)
  const files =
    shape.filesMetadata === undefined ? {} : (JSON.parse(shape.filesMetadata) as { Files: Record<string, { MTime: string }> }).Files
  const exact = files[name]?.MTime
  return {
    mode: octal(100, 7),
    uid: octal(108, 7),
    gid: octal(116, 7),
    modifiedAtNs: exact === undefined ? BigInt(octal(136, 11)) * 1_000_000_000n : (parseTimestamp(exact)?.ns ?? 0n),
  }
}

/** Answers what the engine asks as the recorded server would have. */
function recordedServer(data: string, sentinel: Record<string, any>, end: { label: string; map: string }): SqlConnection {
  const lsn = (key: string): string => formatLsn(BigInt(sentinel[key]) as Lsn)
  return {
    async query(text) {
      if (text.includes('server_version_num') && text.includes("'server_version')"))
        return [{ version: String(sentinel['PgVersion']), name: 'recorded' }]
      if (text.includes('pg_control_system')) {
        return [
          {
            system_identifier: String(BigInt.asIntN(64, BigInt(sentinel['SystemIdentifier']))),
            data_directory: data,
            in_recovery: 'false',
            timeline: '1',
            wal_segment_bytes: '1048576',
            data_checksums: 'on',
            archive_mode: 'on',
            archive_command: 'x',
            archive_library: '',
          },
        ]
      }
      if (text.includes('pg_backup_start')) return [{ lsn: lsn('LSN') }]
      if (text.includes('pg_backup_stop')) return [{ lsn: lsn('FinishLSN'), labelfile: end.label, spcmapfile: end.map }]
      return [{}]
    },
    onLost: () => undefined,
    close: async () => undefined,
  }
}

function numberText(document: string, key: string): string | undefined {
  return new RegExp(`"${key}":([^,}]*)`).exec(document)?.[1]
}

function types(value: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, member === null ? 'null' : typeof member]))
}

function pick(value: Record<string, unknown>, keys: string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in value).map((key) => [key, value[key]]))
}
