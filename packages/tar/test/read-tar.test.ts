import { concatBytes, sourceOf } from '@waltz/bytes'
import { array, assert as check, asyncProperty, constantFrom, integer, record, string, uint8Array } from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeTarHeader, readTar, TAR_TRAILER, type TarEnd, type TarMember } from '../src/index.ts'
import { archive, entry, faultOf, inChunks, list, member, plainEntry, text, withBytes, zeros } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // many runs each, on machines that do other things as well

const small = archive(
  member({ name: '/', type: 'directory', mode: 0o700 }),
  member({ name: '/one' }, text('hello')),
  member({ name: '/ä/two' }, zeros(512).fill(65)),
  member({ name: '/empty' }),
  member({ name: '/link', type: 'symlink', linkName: 'one' }),
  member({ name: '/fifo', type: 'other', typeFlag: '6' }),
  member({ name: '/three' }, zeros(1300).fill(66)),
)
const names = ['/', '/one', '/ä/two', '/empty', '/link', '/fifo', '/three']

describe('members', () => {
  it('come in order with what their headers say', async () => {
    const found = await list(inChunks(small, [small.length]))
    expect(found.map(({ entry: { name, type, size } }) => [name, type, size])).toEqual([
      ['/', 'directory', 0],
      ['/one', 'file', 5],
      ['/ä/two', 'file', 512],
      ['/empty', 'file', 0],
      ['/link', 'symlink', 0],
      ['/fifo', 'other', 0],
      ['/three', 'file', 1300],
    ])
    expect(found[1]).toEqual({ entry: entry({ name: '/one', size: 5 }), content: 'hello' })
    expect(found[4]?.entry.linkName).toBe('one')
    expect(found[5]?.entry.typeFlag).toBe('6')
  })

  it('give back every entry and content, however the bytes are cut', async () => {
    const anEntry = record({
      name: string({ unit: 'grapheme', minLength: 1, maxLength: 300 }).filter((name) => !/\/$|\0/.test(name) && name.isWellFormed()),
      content: uint8Array({ maxLength: 3000 }),
      mode: integer({ min: 0, max: 0o7777 }),
      uid: constantFrom(0, 70, 2_097_151, 2_097_152, 4_294_967_294),
      modifiedAtSeconds: constantFrom(0, -1, 1_700_000_000, 8_589_934_592),
      userName: constantFrom('', 'postgres', 'ü', 'x'.repeat(40)),
    })
    const cuts = array(integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 6 })
    await check(
      asyncProperty(array(anEntry, { maxLength: 6 }), cuts, async (entries, sizes) => {
        const bytes = archive(...entries.map(({ content, ...rest }) => member(rest, content)))
        const found = await list(inChunks(bytes, sizes))
        expect(found).toEqual(
          entries.map(({ content, ...rest }) => ({
            entry: entry({ ...rest, size: content.length }),
            content: Buffer.from(content).toString('latin1'),
          })),
        )
      }),
      { numRuns: 150 },
    )
  })

  it('can be passed over, unread or half read', async () => {
    const seen: string[] = []
    for await (const { entry, body } of readTar(inChunks(small, [100]))) {
      seen.push(entry.name)
      if (entry.name === '/three') for await (const _ of body) break
    }
    expect(seen).toEqual(names)
  })

  it('give their content at once and without a copy when it lies in one chunk', async () => {
    const taken: [string, number | undefined][] = []
    for await (const item of readTar(sourceOf(small))) {
      const content = item.take()
      if (content !== undefined && content.length > 0) expect(content.buffer).toBe(small.buffer)
      taken.push([item.entry.name, content?.length])
      expect(item.take()).toBeUndefined()
    }
    expect(taken).toEqual(names.map((name) => [name, name === '/one' ? 5 : name === '/ä/two' ? 512 : name === '/three' ? 1300 : 0]))
    for await (const item of readTar(inChunks(small, [600]))) {
      if (item.entry.name !== '/three') continue
      expect(item.take()).toBeUndefined()
      let length = 0
      for await (const chunk of item.body) length += chunk.length
      expect(length).toBe(1300)
    }
  })

  it('can be read once, and only while they are the current one', async () => {
    const kept: TarMember[] = []
    for await (const item of readTar(sourceOf(small))) kept.push(item)
    const read = async (item: TarMember | undefined) => {
      for await (const _ of item?.body ?? []);
    }
    await expect(read(kept[1])).rejects.toMatchObject({ code: 'ASSERTION_FAILED' })
    expect(kept[1]?.take()).toBeUndefined()
    for await (const item of readTar(sourceOf(small))) {
      item.take()
      await expect(read(item)).rejects.toMatchObject({ code: 'ASSERTION_FAILED' })
    }
  })

  it('say where they begin', async () => {
    const offsets: number[] = []
    for await (const item of readTar(inChunks(small, [333]))) offsets.push(item.headerOffset)
    expect(offsets).toEqual([0, 512, 1536, 3584, 4096, 4608, 5120])
  })
})

describe('the source', () => {
  const watched = (bytes: Uint8Array) => {
    const seen = { closed: false }
    async function* source() {
      try {
        yield* inChunks(bytes, [512])
      } finally {
        seen.closed = true
      }
    }
    return { seen, source: source() }
  }
  it('is closed when the consumer stops, in a member or between two', async () => {
    const first = watched(small)
    for await (const _ of readTar(first.source)) break
    expect(first.seen.closed).toBe(true)
    const second = watched(small)
    const failing = (async () => {
      for await (const { body } of readTar(second.source)) for await (const _ of body) throw new Error('no')
    })()
    await expect(failing).rejects.toThrow('no')
    expect(second.seen.closed).toBe(true)
  })
  it('is closed when the archive is damaged', async () => {
    const damaged = watched(zeros(5000).fill(1))
    await expect(list(damaged.source)).rejects.toMatchObject({ code: 'TAR_HEADER_DAMAGED' })
    expect(damaged.seen.closed).toBe(true)
  })
})

describe('the end', () => {
  const one = member({ name: '/one' }, text('hello'))
  const end = async (bytes: Uint8Array): Promise<TarEnd | undefined> => {
    let seen: TarEnd | undefined
    await list(inChunks(bytes, [300]), { onEnd: (value) => (seen = value) })
    return seen
  }
  it('is marked by zero blocks, more of which may follow', async () => {
    expect(await end(concatBytes([one, TAR_TRAILER]))).toEqual({ marked: true, bytes: 2048 })
    expect(await end(concatBytes([one, TAR_TRAILER, zeros(9000)]))).toEqual({ marked: true, bytes: 11_048 })
    expect(await end(concatBytes([one, zeros(512)]))).toEqual({ marked: true, bytes: 1536 })
  })
  it('may be missing, and so may the padding before it (RF 3.9)', async () => {
    expect(await end(one)).toEqual({ marked: false, bytes: 1024 })
    expect(await end(one.subarray(0, 517))).toEqual({ marked: false, bytes: 517 })
    expect(await end(zeros(0))).toEqual({ marked: false, bytes: 0 })
  })
  it('is followed by nothing else', async () => {
    for (const junk of [text('x'), one, concatBytes([zeros(700), text('x')])]) {
      const fault = await faultOf(concatBytes([one, TAR_TRAILER, junk]))
      expect([fault?.kind, fault?.code, fault?.context['lastMember']]).toEqual(['corrupt', 'TAR_TRAILING_BYTES', '/one'])
    }
    expect((await faultOf(concatBytes([one, zeros(512), one])))?.code).toBe('TAR_TRAILING_BYTES')
  })
  it('is missed when the archive is cut within a member, wherever that is', async () => {
    const bytes = concatBytes([
      member({ name: '/first' }, text('1')),
      member({ name: `/${'ü'.repeat(20)}` }, zeros(700).fill(67)),
      TAR_TRAILER,
    ])
    const fine = new Set([0, ...range(513, 1025), ...range(3260, 3585), ...range(4096, 4609)])
    for (let length = 0; length <= bytes.length; length += 1) {
      const fault = await faultOf(bytes.subarray(0, length), 4096)
      expect([length, fault?.code]).toEqual([length, fine.has(length) ? undefined : 'TAR_TRUNCATED'])
    }
  })
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

describe('damage', () => {
  it('to any bit that a header says something with is noticed', async () => {
    const bytes = archive(member({ name: '/first' }, text('1')), member({ name: '/second' }))
    for (let bit = 1024 * 8; bit < 1536 * 8; bit += 1) {
      if (bit >> 3 >= 1024 + 148 && bit >> 3 < 1024 + 156) continue // the checksum itself can be written in several ways
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const fault = await faultOf(damaged, 4096)
      expect([bit, fault?.code, fault?.context['offset'], fault?.context['lastMember']]).toEqual([
        bit,
        'TAR_HEADER_DAMAGED',
        1024,
        '/first',
      ])
    }
  })
  const header = encodeTarHeader(plainEntry)
  it.each([
    ['a size that is not octal', withBytes(header, 124, '0000000008\0')],
    ['a negative size', withBytes(header, 124, '\xff'.repeat(12))],
    ['a size beyond 2^53', withBytes(header, 124, '\x80\0\0\0\x7f' + '\xff'.repeat(7))],
    ['a negative owner', withBytes(header, 108, '\xff'.repeat(8))],
    ['no name', withBytes(header, 0, zeros(100))],
  ])('that keeps the checksum but has %s', async (_, bytes) => {
    expect(await faultOf(archive(bytes))).toMatchObject({ kind: 'corrupt', code: 'TAR_HEADER_DAMAGED' })
  })
})

describe('extended headers', () => {
  const extended = (flag: string, content: Uint8Array, size = content.length) =>
    concatBytes([withBytes(encodeTarHeader(entry({ name: 'ext', size })), 156, flag), content, zeros((512 - (content.length % 512)) % 512)])
  const record = (value: string) => {
    let length = value.length + 3
    while (`${length} ${value}\n`.length !== length) length += 1
    return text(`${length} ${value}\n`)
  }
  const one = member({ name: '/one' }, text('hello'))

  it('of PAX override the header, globally or for one member', async () => {
    const bytes = archive(
      extended('g', concatBytes([record('uname=everyone'), record('comment=x')])),
      one,
      extended(
        'x',
        concatBytes([record('path=/renamed'), record('size=5'), record('mtime=12.75'), record('uname=me'), record('gid=9999999999')]),
      ),
      member({ name: '/two' }, text('world')),
      one,
    )
    const found = await list(inChunks(bytes, [900]))
    expect(found.map(({ entry: { name, userName, gid, modifiedAtSeconds } }) => [name, userName, gid, modifiedAtSeconds])).toEqual([
      ['/one', 'everyone', 71, 1_700_000_000],
      ['/renamed', 'me', 9_999_999_999, 12],
      ['/one', 'everyone', 71, 1_700_000_000],
    ])
  })
  it('of GNU give long names and link targets', async () => {
    const long = '/l'.repeat(300)
    const bytes = archive(extended('K', text(`${long}\0`)), extended('L', text(`${long}x\0`)), member({ type: 'symlink', linkName: 'y' }))
    const [found] = await list(inChunks(bytes, [70]))
    expect([found?.entry.name, found?.entry.linkName]).toEqual([`${long}x`, long])
  })
  it('are refused when they are too large, not records, or stand alone', async () => {
    for (const [bytes, code] of [
      [extended('x', zeros(0), 1_048_577), 'TAR_HEADER_DAMAGED'],
      [extended('x', text('5 a=b\n')), 'TAR_HEADER_DAMAGED'],
      [extended('x', text('6 ab\n')), 'TAR_HEADER_DAMAGED'],
      [extended('x', text('99999 a=b\n')), 'TAR_HEADER_DAMAGED'],
      [extended('x', record('size=-1')), 'TAR_HEADER_DAMAGED'],
      [extended('x', record('size=1e3')), 'TAR_HEADER_DAMAGED'],
      [extended('x', record('GNU.sparse.major=1')), 'TAR_MEMBER_UNSUPPORTED'],
    ] as const) {
      expect((await faultOf(archive(bytes, one)))?.code).toBe(code)
    }
    expect((await faultOf(archive(extended('x', record('path=a')))))?.code).toBe('TAR_HEADER_DAMAGED')
    expect((await faultOf(extended('x', record('path=a'))))?.code).toBe('TAR_TRUNCATED')
  })
  it('are needed for nothing when GNU numbers are in base 256', async () => {
    const header = withBytes(encodeTarHeader(plainEntry), 108, '\x80\0\0\0\0\x40\0\0')
    expect((await list(inChunks(archive(withBytes(header, 136, '\xff'.repeat(12))), [512])))[0]?.entry).toMatchObject({
      uid: 4_194_304,
      modifiedAtSeconds: -1,
    })
  })
})

describe('names', () => {
  it('that are not UTF-8 are refused, not mangled', async () => {
    const bytes = archive(withBytes(encodeTarHeader(plainEntry), 0, '/gr\xfc\xdfe'))
    expect(await faultOf(bytes)).toMatchObject({ kind: 'unsupported', code: 'TAR_MEMBER_UNSUPPORTED' })
  })
  it('keep a byte order mark', async () => {
    expect((await list(inChunks(archive(member({ name: '\ufeffx' })), [512])))[0]?.entry.name).toBe('\ufeffx')
  })
  it('may use all of the field, without a NUL', async () => {
    const name = `/${'n'.repeat(99)}`
    expect((await list(inChunks(archive(member({ name })), [512])))[0]?.entry.name).toBe(name)
  })
})
