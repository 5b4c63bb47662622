import { closeSync, openSync, writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pageChecksum, type Lsn } from '@waltz/pg-structures'
import { pageCheckFor } from '../../src/push/page-check.ts'
import { closeSourceFile, openSourceFile, readInto, type SourceFile } from '../../src/push/source-file.ts'
import { scratch } from './fakes.ts'

const PAGE = 8192
const SEGMENT_BLOCKS = 131_072

let folder: ReturnType<typeof scratch>
beforeEach(() => (folder = scratch()))
afterEach(() => folder.dispose())

function page(block: number, lsn = 1): Buffer {
  const content = Buffer.alloc(PAGE, 5)
  for (const [at, value] of [0, 0, lsn & 0xffff, lsn >>> 16, 0, 0, 24, PAGE, PAGE, PAGE | 4].entries()) content.writeUInt16LE(value, at * 2)
  content.writeUInt16LE(pageChecksum(content, block), 8)
  return content
}

async function check(
  name: string,
  content: Buffer,
  { onDisk = content, sleep = async () => undefined }: { onDisk?: Buffer; sleep?: (ms: number) => Promise<void> } = {},
): Promise<readonly number[]> {
  const path = folder.plant('relation', onDisk)
  const file = openSourceFile(path) as SourceFile
  try {
    const found = pageCheckFor(name, { blockBytes: PAGE, relationSegmentBlocks: SEGMENT_BLOCKS, startLsn: 1000n as Lsn, sleep })
    if (found === undefined) throw new Error('no relation')
    return await found.check(file, content, 0)
  } finally {
    await closeSourceFile(file)
  }
}

describe('pageCheckFor', () => {
  it.each([
    '/base/5/16384',
    '/base/5/16384_fsm',
    '/base/5/16384_vm.2',
    '/base/5/16384_init',
    '/global/1262',
    '/pg_tblspc/16400/PG_17_202406281/5/1',
  ])('judges %s', (name) => {
    expect(
      pageCheckFor(name, { blockBytes: PAGE, relationSegmentBlocks: 1, startLsn: 0n as Lsn, sleep: async () => undefined }),
    ).toBeDefined()
  })

  it.each([
    '/base/5/pg_filenode.map',
    '/base/5/PG_VERSION',
    '/global/pg_control',
    '/pg_xact/0000',
    '/base/5/0123',
    '/16384',
    '/other/base/5/16384',
  ])('leaves %s alone', (name) => {
    expect(
      pageCheckFor(name, { blockBytes: PAGE, relationSegmentBlocks: 1, startLsn: 0n as Lsn, sleep: async () => undefined }),
    ).toBeUndefined()
  })

  it('counts blocks from the start of the fork for the checksum and from the start of the file for the report', async () => {
    const good = Buffer.concat([page(2 * SEGMENT_BLOCKS), page(2 * SEGMENT_BLOCKS + 1)])
    expect(await check('/base/5/16384.2', good)).toEqual([])
    expect(await check('/base/5/16384', good)).toEqual([0, 1])
    expect(await check('/base/5/16384.1', good)).toEqual([0, 1])
  })

  it('reads a bad page again and stores what is good by then', async () => {
    const torn = Buffer.concat([page(0), page(1)])
    torn.fill(1, PAGE + 4096)
    expect(await check('/base/5/16384', torn, { onDisk: Buffer.concat([page(0), page(1)]) })).toEqual([])
    expect(torn.subarray(PAGE).equals(page(1))).toBe(true)
  })

  it('is patient with a page that is being written, up to a point', async () => {
    const torn = page(0)
    torn.fill(1, 4096)
    const waits: number[] = []
    const sleep = async (ms: number): Promise<void> => {
      waits.push(ms)
      if (waits.length < 3) return
      const descriptor = openSync(`${folder.path}/relation`, 'r+')
      writeSync(descriptor, page(0))
      closeSync(descriptor)
    }
    expect(await check('/base/5/16384', torn, { sleep, onDisk: Buffer.from(torn) })).toEqual([])
    expect(waits).toEqual([20, 100, 500])
  })

  it('reports damage that stays, and does not wait for every page of a file that is all damaged', async () => {
    const damaged = Buffer.concat(Array.from({ length: 32 }, (_, block) => page(block + 1)))
    let waited = 0
    const path = folder.plant('relation', damaged)
    const file = openSourceFile(path) as SourceFile
    const found = pageCheckFor('/base/5/16384', {
      blockBytes: PAGE,
      relationSegmentBlocks: SEGMENT_BLOCKS,
      startLsn: 1000n as Lsn,
      sleep: async () => void (waited += 1),
    })
    expect(await found?.check(file, damaged, 0)).toHaveLength(32)
    const before = waited
    expect(await found?.check(file, Buffer.from(damaged), 0)).toHaveLength(32)
    expect([before, waited]).toEqual([3, 3])
    await closeSourceFile(file)
  })

  it('takes a page behind the end for truncated', async () => {
    const torn = Buffer.concat([page(0), page(7)])
    expect(await check('/base/5/16384', torn, { onDisk: page(0) })).toEqual([])
  })
})

describe('reading', () => {
  it('tells a failure of the disk from the end of the file', async () => {
    const descriptor = openSync(folder.path, 'r')
    const broken = { descriptor, path: 'a folder', size: 10, stat: {} as SourceFile['stat'] }
    await expect(readInto(broken, Buffer.alloc(10), 0, { position: 0, length: 10 })).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'DATA_FILE_UNREADABLE',
    })
    closeSync(descriptor)
  })
})
