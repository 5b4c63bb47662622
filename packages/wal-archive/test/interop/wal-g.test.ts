import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { timelineId } from '@waltz/pg-structures'
import { readOnly } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import { fixturePath } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faultOf, openTestArchive, type TestArchive, type TestArchiveOptions } from '../support/archive.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waltz-interop-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface ArchivedFile {
  readonly name: string
  readonly object: string
  readonly size: number
  readonly sha256: string
}

async function readTable(path: string): Promise<ArchivedFile[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(1).filter(Boolean)
  return lines.map((line) => {
    const [name = '', object = '', size = '', sha256 = ''] = line.split('\t')
    return { name, object, size: Number(size), sha256 }
  })
}

const archiveIn = (root: string, options: TestArchiveOptions = {}): Promise<TestArchive> =>
  openTestArchive({
    store: readOnly(createFileStore({ root, now: () => new Date(0), randomHex: (digits) => '0'.repeat(digits) })),
    ...options,
  })

/** Fetches every file of a table with all checks and compares what arrives with what the program that stored it gives. */
async function expectAll(root: string, table: string): Promise<number> {
  const { archive, events } = await archiveIn(root)
  const files = await readTable(table)
  for (const file of files) {
    const destination = join(folder, 'RECOVERYXLOG')
    const { storedName, bytes } = await archive.fetchToFile({ name: file.name, destination, unique: '00' })
    const sha256 = createHash('sha256')
      .update(await readFile(destination))
      .digest('hex')
    expect({ name: file.name, object: storedName, size: bytes, sha256 }).toEqual(file)
  }
  const unchecked = events.flatMap((event) => (event.type === 'first-record-unchecked' ? [event.name] : []))
  expect(unchecked.length).toBeLessThanOrEqual(1)
  return files.length
}

describe('WAL that WAL-G archived', () => {
  it('small objects of the project: histories, a backup history, segments', async () => {
    const own = fileURLToPath(new URL('../fixtures', import.meta.url))
    expect(await expectAll(own, join(own, 'wal.tsv'))).toBe(5)
  })

  const repositories = [
    ...['lz4', 'lzma', 'zstd', 'brotli', 'gzip-read-only', 'lzo-read-only'].map((name) => `codecs/${name}`),
    ...['v2.0.1-lz4-delta', 'v3.0.3-brotli-delta', 'v3.0.8-lz4-16mb-wal', 'v3.0.8-lz4-delta'].map((name) => `older-releases/${name}`),
    ...['pg13', 'pg17', 'pg18-16mb'].map((name) => `versions/${name}`),
    'timelines/main',
    'standby',
    'delta/tablespaces',
    'remote/pg14-plain',
  ]
  for (const name of repositories) {
    const path = fixturePath(name)
    it.skipIf(path === undefined || !existsSync(join(path, 'wal.tsv')))(`${name}, every file byte for byte`, async () => {
      expect(await expectAll(join(path!, 'repo'), join(path!, 'wal.tsv'))).toBeGreaterThan(0)
    })
  }

  const packed = fixturePath('codecs/none')
  it.skipIf(packed === undefined)('codecs/none, record checksums included', async () => {
    execFileSync('tar', ['xzf', join(packed!, 'repo.tar.gz'), '-C', folder])
    expect(await expectAll(join(folder, 'repo'), join(packed!, 'wal.tsv'))).toBe(3)
  })
})

const timelines = fixturePath('timelines')
describe.skipIf(timelines === undefined)('three timelines', () => {
  const open = (name: string): Promise<TestArchive> => archiveIn(join(timelines!, name, 'repo'), { segmentBytes: 1_048_576 })
  const FIRST = '000000010000000000000012'
  const LAST = '000000030000000000000020'

  it('are complete, and end where they end', async () => {
    const { archive, sleeps } = await open('main')
    expect(await archive.verify(FIRST, LAST)).toEqual({ complete: true, gaps: [] })
    expect((await archive.timelines()).map(({ first, last, segments, hasHistory }) => [first, last, segments, hasHistory])).toEqual([
      [FIRST, '000000010000000000000018', 7, false],
      ['000000020000000000000017', '00000002000000000000001C', 6, true],
      ['00000003000000000000001D', LAST, 4, true],
    ])
    expect((await archive.history(timelineId(3)))?.switches.map(({ timeline }) => timeline)).toEqual([1, 2])
    for (const name of ['000000030000000000000021', '00000004.history', '000000010000000000000019', '00000002000000000000001D']) {
      expect(await faultOf(archive.fetch(name)), name).toMatchObject({ code: 'WAL_NOT_FOUND' })
    }
    expect(sleeps).toEqual([])
  })

  it.each([
    ['gap-timeline1', ['000000010000000000000016'], ['000000010000000000000016']],
    [
      'gap-several',
      ['000000010000000000000013', '000000010000000000000016', '000000020000000000000018', '00000003000000000000001F'],
      undefined,
    ],
  ])('%s: every missing segment is a hole', async (name, missing, gaps = missing) => {
    const { archive } = await open(name)
    for (const segment of missing) expect(await faultOf(archive.fetch(segment)), segment).toMatchObject({ code: 'WAL_HOLE' })
    const found = await archive.verify(FIRST, LAST)
    expect(found.gaps.map(({ first }) => first)).toEqual(gaps)
    expect(found.gaps.every(({ reason }) => reason === 'lost')).toBe(true)
  })

  it('no-history: lost histories are holes, and unrelated timelines cannot be verified', async () => {
    const { archive } = await open('no-history')
    for (const name of ['00000002.history', '00000003.history']) {
      expect(await faultOf(archive.fetch(name)), name).toMatchObject({ code: 'WAL_HISTORY_HOLE' })
    }
    expect(await faultOf(archive.verify(FIRST, LAST))).toMatchObject({ code: 'WAL_NAME_INVALID' })
  })

  it('missing-last: nobody can tell that from the end', async () => {
    const { archive } = await open('missing-last')
    expect(await faultOf(archive.fetch(LAST))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect((await archive.verify(FIRST, LAST)).gaps).toMatchObject([{ first: LAST, reason: 'not-yet-archived' }])
  })
})
