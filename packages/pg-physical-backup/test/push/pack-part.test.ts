import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pageChecksum, type Lsn } from '@waltz/pg-structures'
import type { ClusterEntry } from '../../src/push/cluster-entry.ts'
import { factsOfStat } from '../../src/push/entry-facts.ts'
import { createEntryQueue } from '../../src/push/entry-queue.ts'
import { packPart, type PackOptions } from '../../src/push/pack-part.ts'
import { pageCheckFor } from '../../src/push/page-check.ts'
import type { StoredMember } from '../../src/push/stored-file.ts'
import { collect, openDescriptors, scratch } from './fakes.ts'

const CHUNK = 262_144

let folder: ReturnType<typeof scratch>
beforeEach(() => (folder = scratch()))
afterEach(() => folder.dispose())

function file(name: string, content: Uint8Array | string): ClusterEntry {
  return { kind: 'file', name: `/${name}`, path: folder.plant(name, content) }
}

function bytes(size: number): Buffer {
  const content = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at += 1) content[at] = (at * 7919 + size) % 251
  return content
}

interface Packed extends PackOptions {
  readonly members: StoredMember[]
  readonly shrunk: string[]
}

function options(given: Partial<PackOptions> = {}): Packed {
  const members: StoredMember[] = []
  const shrunk: string[] = []
  return {
    thresholdBytes: 2 ** 30,
    chunkBytes: CHUNK,
    owners: { of: () => ({ userName: 'postgres', groupName: 'postgres' }) },
    factsOf: factsOfStat,
    onMember: (member) => members.push(member),
    onShrunk: (name) => shrunk.push(name),
    ...given,
    members,
    shrunk,
  }
}

function queueOf(...entries: ClusterEntry[]): ReturnType<typeof createEntryQueue> {
  return createEntryQueue(entries.values(), undefined)
}

/** Unpacks with GNU tar, which knows nothing of this code. */
function untar(archive: Buffer): (name: string) => Buffer {
  const target = join(folder.path, 'unpacked')
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target)
  execFileSync('tar', ['-x', '-p', '-C', target, '-f', '-'], { input: archive, stdio: ['pipe', 'ignore', 'pipe'] })
  return (name) => readFileSync(join(target, name))
}

const EDGES = [0, 1, 511, 512, 513, 1023, 1024, CHUNK - 513, CHUNK - 512, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17, 4_194_304 + 511]

describe('a part', () => {
  it.each([
    ['without limits', {}],
    ['read by the large path', { diskLimit: async () => undefined }],
  ])('holds every file as it is, whatever its size: %s', async (_, given) => {
    const entries = EDGES.map((size, index) => file(`f${index}`, bytes(size)))
    const packing = options(given)
    const archive = await collect(packPart(queueOf(...entries), packing))
    const content = untar(archive)
    for (const [index, size] of EDGES.entries()) expect(content(`f${index}`).equals(bytes(size)), `${size} bytes`).toBe(true)
    expect(packing.members.map(({ name }) => name)).toEqual(EDGES.map((_size, index) => `/f${index}`))
    expect(archive.length % 512).toBe(0)
    expect(archive.subarray(-1024).every((byte) => byte === 0)).toBe(true)
  })

  it('comes in blocks of the wanted size, none of which is touched again', async () => {
    const entries = EDGES.map((size, index) => file(`f${index}`, bytes(size)))
    const blocks: Uint8Array[] = []
    const copies: Buffer[] = []
    for await (const block of packPart(queueOf(...entries), options())) {
      blocks.push(block)
      copies.push(Buffer.from(block))
    }
    expect(blocks.slice(0, -1).every((block) => block.length === CHUNK)).toBe(true)
    expect(blocks.every((block, index) => copies[index]?.equals(block))).toBe(true)
    expect(new Set(blocks.map((block) => block.buffer)).size).toBe(blocks.length)
  })

  it('keeps mode, owner and time, and folders', async () => {
    const entry = file('a', 'x')
    execFileSync('chmod', ['640', join(folder.path, 'a')])
    execFileSync('touch', ['-d', '2024-05-06 07:08:09.6 UTC', join(folder.path, 'a')])
    const stat = statSync(folder.path, { bigint: true })
    const archive = await collect(packPart(queueOf({ kind: 'directory', name: '/', facts: factsOfStat('/', stat) }, entry), options()))
    const listing = execFileSync('tar', ['-tv', '--full-time', '--numeric-owner', '-f', '-'], {
      input: archive,
      env: { TZ: 'UTC' },
    }).toString()
    expect(listing).toMatch(/^drwx------ .* \/\n-rw-r----- \S+ +1 2024-05-06 07:08:10 \/a\n$/)
  })

  it('closes when its contents exceed the threshold, not before', async () => {
    const queue = queueOf(file('a', bytes(600)), file('b', bytes(400)), file('c', bytes(1)), file('d', bytes(1)))
    const first = options({ thresholdBytes: 1000 })
    await collect(packPart(queue, first))
    const second = options({ thresholdBytes: 1000 })
    await collect(packPart(queue, second))
    expect(first.members.map(({ name }) => name)).toEqual(['/a', '/b', '/c'])
    expect(second.members.map(({ name }) => name)).toEqual(['/d'])
  })

  it('says of a file of 8 GiB and more how large it is', async () => {
    const entry = file('large', '')
    truncateSync(join(folder.path, 'large'), 8 * 2 ** 30 + 5)
    const source = packPart(queueOf(entry), options())
    const first = await source.next()
    await source.return(undefined)
    const header = Buffer.from((first.value as Uint8Array).subarray(0, 1536))
    expect(header.toString('latin1', 512, 540)).toContain('size=8589934597\n')
    expect(await openDescriptors(/waltz-push/)).toBe(0)
  })
})

describe('a file that changes while it is read', () => {
  it('is cut at the size of its header when it grows', async () => {
    const entries = [file('grows', bytes(3 * CHUNK)), file('next', 'next')]
    const source = packPart(queueOf(...entries), options())
    const blocks = [(await source.next()).value as Uint8Array]
    appendFileSync(join(folder.path, 'grows'), bytes(CHUNK))
    const content = untar(Buffer.concat([...blocks, await collect(source)]))
    expect(content('grows').equals(bytes(3 * CHUNK))).toBe(true)
    expect(content('next').toString()).toBe('next')
  })

  it.each([
    ['cut', CHUNK + 100],
    ['emptied', 0],
  ])('is filled with zeros when it is %s, and that is told', async (_, left) => {
    const original = bytes(5 * CHUNK + 3)
    const entries = [file('shrinks', original), file('next', 'next')]
    const packing = options()
    const source = packPart(queueOf(...entries), packing)
    const blocks = [(await source.next()).value as Uint8Array]
    truncateSync(join(folder.path, 'shrinks'), left)
    const content = untar(Buffer.concat([...blocks, await collect(source)]))
    const read = Math.max(left, CHUNK - 512)
    expect(content('shrinks').length).toBe(original.length)
    expect(content('shrinks').subarray(0, read).equals(original.subarray(0, read))).toBe(true)
    expect(
      content('shrinks')
        .subarray(read)
        .every((byte) => byte === 0),
    ).toBe(true)
    expect(content('next').toString()).toBe('next')
    expect(packing.shrunk).toEqual(['/shrinks'])
  })

  it('is left out when it is gone, also with its folder, and counts for nothing', async () => {
    const gone = file('folder/gone', 'x')
    const packing = options()
    const queue = queueOf({ kind: 'file', name: '/never', path: join(folder.path, 'never') }, gone, file('stays', 'y'))
    rmSync(join(folder.path, 'folder'), { recursive: true })
    writeFileSync(join(folder.path, 'folder'), 'a file by now')
    await collect(packPart(queue, packing))
    expect(packing.members.map(({ name }) => name)).toEqual(['/stays'])
  })

  it('is a failure when something that is no file has its name: a folder, or a pipe that would block', async () => {
    mkdirSync(join(folder.path, 'folder'))
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    for (const name of ['folder', 'pipe']) {
      const packing = collect(packPart(queueOf({ kind: 'file', name: `/${name}`, path: join(folder.path, name) }), options()))
      await expect(packing).rejects.toMatchObject({ code: 'DATA_FILE_UNREADABLE' })
    }
    expect(await openDescriptors(/waltz-push/)).toBe(0)
  })
})

describe('descriptors', () => {
  it.each([
    [
      'the consumer stops in the middle',
      {},
      async (source: AsyncGenerator<Uint8Array>): Promise<void> => void (await source.next(), await source.return(undefined)),
    ],
    [
      'the facts cannot be written into a header',
      { factsOf: () => ({ mode: -1, uid: 0, gid: 0, modifiedAtNs: 0n }) },
      (source: AsyncGenerator<Uint8Array>) => expect(collect(source)).rejects.toMatchObject({ code: 'TAR_ENTRY_INVALID' }),
    ],
    [
      'the disk limit gives up',
      { diskLimit: async () => Promise.reject(new Error('given up')) },
      (source: AsyncGenerator<Uint8Array>) => expect(collect(source)).rejects.toThrow('given up'),
    ],
    [
      'the signal fires',
      { signal: AbortSignal.abort(new Error('stop')) },
      (source: AsyncGenerator<Uint8Array>) => expect(collect(source)).rejects.toMatchObject({ kind: 'aborted' }),
    ],
  ] as const)('are closed when %s', async (_, given, use) => {
    await use(packPart(queueOf(file('large', bytes(4 * CHUNK))), options(given)))
    expect(await openDescriptors(/waltz-push/)).toBe(0)
  })
})

describe('many small files', () => {
  it.each([
    ['without limits', {}],
    ['under a disk limit', { diskLimit: async () => undefined }],
  ])('are open one at a time: %s', async (_, given) => {
    const entries = Array.from({ length: 600 }, (_unused, index) => file(`s${index}`, bytes(index % 3 === 0 ? 0 : 200)))
    let most = 0
    const packing = options(given)
    const count = {
      ...packing,
      factsOf: (name: string, stat: BigIntStats) => {
        most = Math.max(most, readdirSync('/proc/self/fd').length)
        return packing.factsOf(name, stat)
      },
    }
    const before = readdirSync('/proc/self/fd').length
    untar(await collect(packPart(queueOf(...entries), count)))
    expect(packing.members.length).toBe(600)
    expect(most - before).toBeLessThan(20)
  })
})

describe('under verification', () => {
  const PAGE = 8192

  /** A page as the server writes it: a sane header, an LSN, a checksum. */
  function page(block: number, { lsn = 1, fill = block % 200 }: { lsn?: number; fill?: number } = {}): Buffer {
    const content = Buffer.alloc(PAGE, fill)
    content.writeUInt32LE(0, 0)
    content.writeUInt32LE(lsn, 4)
    content.writeUInt16LE(0, 8)
    content.writeUInt16LE(0, 10)
    content.writeUInt16LE(24, 12)
    content.writeUInt16LE(PAGE, 14)
    content.writeUInt16LE(PAGE, 16)
    content.writeUInt16LE(PAGE | 4, 18)
    content.writeUInt16LE(pageChecksum(content, block), 8)
    return content
  }

  function relation(name: string, pages: number, damage: (content: Buffer) => void = () => undefined): ClusterEntry {
    const content = Buffer.concat(Array.from({ length: pages }, (_, block) => page(block)))
    damage(content)
    return file(name, content)
  }

  function verifying(given: Partial<PackOptions> & { sleep?: (ms: number) => Promise<void> } = {}): Packed {
    const { sleep = async () => undefined, ...rest } = given
    return options({
      pageCheck: (name) => pageCheckFor(name, { blockBytes: PAGE, relationSegmentBlocks: 131_072, startLsn: 1000n as Lsn, sleep }),
      ...rest,
    })
  }

  it('pages that lie across the blocks of the archive are stored and judged as they are', async () => {
    const entries = [
      file('small', bytes(700)),
      relation('base/5/1', 100),
      relation('base/5/2', 3, (content) => content.fill(9, 2 * PAGE + 100, 2 * PAGE + 200)),
      file('end', 'end'),
    ]
    const packing = verifying()
    const content = untar(await collect(packPart(queueOf(...entries), packing)))
    expect(content('base/5/1').equals(Buffer.concat(Array.from({ length: 100 }, (_, block) => page(block))))).toBe(true)
    expect(content('base/5/2').length).toBe(3 * PAGE)
    expect(content('end').toString()).toBe('end')
    expect(packing.members.map(({ corruptBlocks }) => corruptBlocks)).toEqual([[], [], [2], []])
  })

  it('a torn page that is whole when it is read again is stored whole', async () => {
    const entry = relation('base/5/1', 40, (content) => content.fill(1, 33 * PAGE + 4096, 34 * PAGE))
    const path = join(folder.path, 'base/5/1')
    const packing = verifying({
      async sleep() {
        const content = readFileSync(path)
        page(33).copy(content, 33 * PAGE)
        writeFileSync(path, content)
      },
    })
    const content = untar(await collect(packPart(queueOf(entry), packing)))
    expect(
      content('base/5/1')
        .subarray(33 * PAGE, 34 * PAGE)
        .equals(page(33)),
    ).toBe(true)
    expect(packing.members[0]?.corruptBlocks).toEqual([])
  })

  it('a page with a later position than the start of the backup is not judged', async () => {
    const entry = relation('base/5/1', 2, (content) => {
      page(1, { lsn: 5000 }).copy(content, PAGE)
      content.fill(3, PAGE + 4000, PAGE + 5000)
    })
    const packing = verifying()
    await collect(packPart(queueOf(entry), packing))
    expect(packing.members[0]?.corruptBlocks).toEqual([])
  })

  it('a file cut in the middle of a page is filled up, and its whole pages are judged', async () => {
    const entry = relation('base/5/1', 64)
    const packing = verifying()
    const source = packPart(queueOf(entry), packing)
    const blocks = [(await source.next()).value as Uint8Array]
    truncateSync(join(folder.path, 'base/5/1'), 40 * PAGE + 100)
    const content = untar(Buffer.concat([...blocks, await collect(source)]))
    expect(content('base/5/1').length).toBe(64 * PAGE)
    expect(
      content('base/5/1')
        .subarray(41 * PAGE)
        .every((byte) => byte === 0),
    ).toBe(true)
    expect(packing.members[0]?.corruptBlocks).toEqual([])
    expect(packing.shrunk).toEqual(['/base/5/1'])
  })
})
