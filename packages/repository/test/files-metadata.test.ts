import { readFileSync } from 'node:fs'
import { readAll, sourceOf } from '@waltz/bytes'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFilesMetadata, readFilesMetadata, ZERO_TIMESTAMP, type FileRecord, type FilesMetadataEvent } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const origin = 'basebackups_005/b/files_metadata.json'
const MIB = 1_048_576

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

async function eventsOf(document: string | Uint8Array, chunkBytes = 1000): Promise<FilesMetadataEvent[]> {
  const bytes = typeof document === 'string' ? new TextEncoder().encode(document) : document
  const events: FilesMetadataEvent[] = []
  for await (const batch of readFilesMetadata(inChunks(bytes, chunkBytes), { origin })) events.push(...batch)
  return events
}

const encode = async (content: Parameters<typeof encodeFilesMetadata>[0]): Promise<string> =>
  new TextDecoder().decode(await readAll(encodeFilesMetadata(content), 64 * MIB))

const file = (name: string, other: Partial<FileRecord> = {}): FileRecord => ({
  name,
  incremented: false,
  skipped: false,
  modifiedAt: '2026-03-01T13:00:00.000000001+03:00',
  ...other,
})

describe('encodeFilesMetadata', () => {
  it('writes keys, order and escapes as WAL-G does', async () => {
    const json = await encode({
      files: [
        file('/'),
        [
          file('/base/5/16384', { incremented: true, updatesCount: 7, corruptBlocks: { count: 2, blocks: [7, 9] } }),
          file('/<&>\u2028é"\\\u0001', { skipped: true }),
        ],
      ],
      tarFileSets: [
        { part: 'part_001.tar.lz4', names: ['/', ['/base/5/16384', '/x']] },
        { part: 'backup_label.tar.lz4', names: [] },
      ],
      databases: [
        {
          name: 'app',
          oid: 16390,
          tables: [
            { name: 'public.t', oid: 16384, relFileNode: 16385 },
            { name: 'public.p', oid: 1, relFileNode: 0, subtables: [{ name: 'public.c', oid: 2, relFileNode: 3 }] },
          ],
        },
        { name: 'empty', oid: 5, tables: [] },
      ],
    })
    expect(json).toBe(
      '{"Files":{"/":{"IsIncremented":false,"IsSkipped":false,"MTime":"2026-03-01T13:00:00.000000001+03:00","UpdatesCount":0},' +
        '"/base/5/16384":{"IsIncremented":true,"IsSkipped":false,"MTime":"2026-03-01T13:00:00.000000001+03:00",' +
        '"CorruptBlocks":{"CorruptBlocksCount":2,"SomeCorruptBlocks":[7,9]},"UpdatesCount":7},' +
        '"/<&>\u2028é\\"\\\\\\u0001":{"IsIncremented":false,"IsSkipped":true,"MTime":"2026-03-01T13:00:00.000000001+03:00","UpdatesCount":0}},' +
        '"TarFileSets":{"part_001.tar.lz4":["/","/base/5/16384","/x"],"backup_label.tar.lz4":[]},' +
        '"DatabasesByNames":{"app":{"oid":16390,"tables_new":{"public.t":{"oid":16384,"relfilenode":16385},' +
        '"public.p":{"oid":1,"relfilenode":0,"subtables":{"public.c":{"oid":2,"relfilenode":3}}}}},"empty":{"oid":5}}}',
    )
    expect(() => JSON.parse(json)).not.toThrow()
  })

  it('leaves empty top-level members out', async () => {
    expect(await encode({ files: [] })).toBe('{}')
    expect(await encode({ files: [[]], tarFileSets: [], databases: [] })).toBe('{}')
    expect(await encode({ files: [], tarFileSets: [{ part: 'p.tar', names: ['a'] }] })).toBe('{"TarFileSets":{"p.tar":["a"]}}')
  })

  it('refuses a name that is not Unicode text', async () => {
    expect(await faultOf(() => encode({ files: [file('/a\ud800')] }))).toMatchObject({ kind: 'invalid', code: 'NAME_NOT_UNICODE' })
  })

  it('yields large chunks', async () => {
    const sizes: number[] = []
    const names = Array.from({ length: 30_000 }, (_, index) => file(`/base/5/${index}`))
    for await (const chunk of encodeFilesMetadata({ files: names })) sizes.push(chunk.length)
    expect(sizes.length).toBeGreaterThan(5)
    for (const size of sizes.slice(0, -1)) expect(Math.abs(size - 262_144)).toBeLessThan(1024)
  })
})

describe('readFilesMetadata', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('/base/5/16384', '__proto__', '', '"', '\\u0041', '/é'),
  )
  const count = fc.nat({ max: 2 ** 40 })
  const records = fc.array(
    fc.record({
      name,
      incremented: fc.boolean(),
      skipped: fc.boolean(),
      modifiedAt: fc.constantFrom('2026-03-01T13:00:00.000000001+03:00', '2026-11-20T22:44:07.008944707Z', ZERO_TIMESTAMP),
      updatesCount: count,
      corruptBlocks: fc.option(fc.record({ count, blocks: fc.array(count, { maxLength: 4 }) }, { noNullPrototype: true }), {
        nil: undefined,
      }),
    }),
    { maxLength: 8 },
  )
  const uniqueBy = { maxLength: 4, selector: (entry: { readonly name: string }): string => entry.name }
  // Members of small objects go through JSON.parse, which orders and merges them.
  const named = fc.stringMatching(/^[a-z_][a-z.]{0,5}$/).filter((key) => key !== '__proto__')
  const tables = fc.uniqueArray(
    fc.record({
      name,
      oid: count,
      relFileNode: count,
      subtables: fc.uniqueArray(fc.record({ name: named, oid: count, relFileNode: count }, { noNullPrototype: true }), uniqueBy),
    }),
    uniqueBy,
  )

  it('gives back what encodeFilesMetadata wrote, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.array(fc.record({ part: name, names: fc.array(name, { maxLength: 4 }) }), { maxLength: 3 }),
        fc.array(fc.record({ name, oid: count, tables }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 400 }),
        async (files, tarFileSets, databases, chunkBytes) => {
          const expected: FilesMetadataEvent[] = [
            ...files.map((record) => ({ kind: 'file' as const, ...record })),
            ...tarFileSets.flatMap(({ part, names }) => [
              { kind: 'part' as const, part },
              ...names.map((member) => ({ kind: 'member' as const, part, name: member })),
            ]),
            ...databases.flatMap((database) => [
              { kind: 'database' as const, name: database.name, oid: database.oid },
              ...database.tables.map((table) => ({ kind: 'table' as const, database: database.name, ...table })),
            ]),
          ]
          expect(await eventsOf(await encode({ files, tarFileSets, databases }), chunkBytes)).toStrictEqual(expected)
        },
      ),
    )
  })

  it('reads any order of keys, white space, escapes, unknown members, letter case and old forms', async () => {
    const document = ` { "X" : [1, {"a":[null,true,-1.5e3,"\\u00e9\\"]}"]}, [], {}],
      "tarfilesets" : { "p\\u0031.tar" : [ "a" , "\\/b\\n" ], "none":null , "e" : [ ] } ,
      "FILES":{ "/é" : { "UpdatesCount" : 3, "mtime":"2026-01-01T00:00:00Z" , "Unknown":{"deep":["\\"}]"]}, "IsSkipped":true },
        "/old":{"IsIncremented":true,"IsSkipped":false,"MTime":"t","CorruptBlocks":[1,2,3]},"/null":null,
        "/big":{"IsIncremented":false,"IsSkipped":false,"MTime":"t","UpdatesCount":18446744073709551615}},
      "DatabasesByNames":{"db":{"tables":{"x":1},"tables_new":{"s.t":{"relfilenode":2,"oid":1}},"OID":9},"no oid":{},"nothing":null},"Y":7 }
      `
    const expected = [
      { kind: 'part', part: 'p1.tar' },
      { kind: 'member', part: 'p1.tar', name: 'a' },
      { kind: 'member', part: 'p1.tar', name: '/b\n' },
      { kind: 'part', part: 'none' },
      { kind: 'part', part: 'e' },
      {
        kind: 'file',
        name: '/é',
        incremented: false,
        skipped: true,
        modifiedAt: '2026-01-01T00:00:00Z',
        updatesCount: 3,
        corruptBlocks: undefined,
      },
      {
        kind: 'file',
        name: '/old',
        incremented: true,
        skipped: false,
        modifiedAt: 't',
        updatesCount: 0,
        corruptBlocks: { count: 3, blocks: [1, 2, 3] },
      },
      {
        kind: 'file',
        name: '/null',
        incremented: false,
        skipped: false,
        modifiedAt: ZERO_TIMESTAMP,
        updatesCount: 0,
        corruptBlocks: undefined,
      },
      { kind: 'file', name: '/big', incremented: false, skipped: false, modifiedAt: 't', updatesCount: 2 ** 64, corruptBlocks: undefined },
      { kind: 'table', database: 'db', name: 's.t', oid: 1, relFileNode: 2, subtables: [] },
      { kind: 'database', name: 'db', oid: 9 },
      { kind: 'database', name: 'no oid', oid: 0 },
      { kind: 'database', name: 'nothing', oid: 0 },
    ]
    for (const chunkBytes of [1, 2, 3, 7, 64, 100_000]) expect(await eventsOf(document, chunkBytes)).toStrictEqual(expected)
  })

  it('takes null and absent lists as empty', async () => {
    expect(await eventsOf('{}')).toEqual([])
    expect(await eventsOf('{"Files":null,"TarFileSets":null,"DatabasesByNames":null}')).toEqual([])
  })

  it('reads the file list inside a V1 sentinel and hands over the rest', async () => {
    const sentinel = readFileSync(new URL('fixtures/release-1.1-shortened.sentinel', import.meta.url))
    const kept: string[] = []
    const events: FilesMetadataEvent[] = []
    const keep = (key: string, value: Uint8Array): void => void kept.push(`${key}=${new TextDecoder().decode(value)}`)
    for await (const batch of readFilesMetadata(inChunks(sentinel, 50), { origin, keep })) events.push(...batch)
    expect(events.filter(({ kind }) => kind === 'file').map((event) => 'name' in event && event.name)).toEqual([
      '/',
      '/PG_VERSION',
      '/base',
      '/base/16384',
    ])
    expect(events.filter(({ kind }) => kind === 'part')).toHaveLength(2)
    expect(kept).toContain('SystemIdentifier=7710388495305673385')
    expect(kept).toContain('Spec=null')
    expect(kept).toHaveLength(11)
  })

  it('tells a document that ends early, wherever it ends', async () => {
    const document = await encode({
      files: [file('/a', { corruptBlocks: { count: 1, blocks: [1] } }), file('/é')],
      tarFileSets: [{ part: 'p', names: ['/a'] }],
      databases: [{ name: 'd', oid: 1, tables: [{ name: 't', oid: 1, relFileNode: 1 }] }],
    })
    const bytes = new TextEncoder().encode(document)
    for (let length = 0; length < bytes.length; length++) {
      const fault = await faultOf(() => eventsOf(bytes.slice(0, length), 4096))
      expect([length, fault.kind, fault.code]).toEqual([length, 'corrupt', 'JSON_TRUNCATED'])
      expect(fault.message).toContain(length === 0 ? 'is empty' : `after ${length} bytes`)
    }
  })

  const entry = '{"IsIncremented":false,"IsSkipped":false,"MTime":"t","UpdatesCount":0}'
  it.each([
    ['[]', 'JSON_INVALID', "'{' expected at byte 0"],
    ['{"Files":{}}}', 'JSON_INVALID', 'nothing behind the document expected at byte 12'],
    ['{"Files":{},}', 'JSON_INVALID', 'a string expected at byte 12'],
    ['{"Files":{"a":{} "b":{}}}', 'JSON_INVALID', "',' or '}' expected at byte 17"],
    [`{"Files":{"a":${entry},}}`, 'JSON_INVALID', 'a string expected'],
    [`{"Files":{"a":${entry}]}`, 'JSON_INVALID', "',' or '}' expected"],
    ['{"Files":{"a"=1}}', 'JSON_INVALID', "':' expected at byte 13"],
    ['{"Files":[]}', 'JSON_FIELD_INVALID', 'Files must be an object'],
    ['{"Files":{"a":1}}', 'JSON_FIELD_INVALID', 'must be an object'],
    ['{"Files":{"a":{"IsSkipped":1}}}', 'JSON_FIELD_INVALID', 'Files["a"].IsSkipped must be true or false'],
    [`{"Files":{"a":${entry.replace('0}', '00}')}}}`, 'JSON_INVALID', 'is not valid JSON'],
    ['{"Files":{"a":{"CorruptBlocks":["x"]}}}', 'JSON_FIELD_INVALID', 'block numbers'],
    ['{"TarFileSets":{"p":{}}}', 'JSON_FIELD_INVALID', 'TarFileSets["p"] must be an array'],
    ['{"TarFileSets":{"p":[1]}}', 'JSON_INVALID', 'a string expected at byte 21'],
    ['{"TarFileSets":{"p":["a",]}}', 'JSON_INVALID', 'a string expected'],
    ['{"X":tru}', 'JSON_INVALID', 'is not valid JSON'],
    ['{"X":[1 2]}', 'JSON_INVALID', "',' or ']' expected"],
    ['{"X":[1}', 'JSON_INVALID', "',' or ']' expected"],
    ['{"X":"\n"}', 'JSON_INVALID', 'is not valid JSON'],
    ['{"Files":{"a\u0001":{}}}', 'JSON_INVALID', 'control characters'],
    ['{"Files":{"a\\x":{}}}', 'JSON_INVALID', 'valid escapes'],
    [`{"X":${'['.repeat(2000)}`, 'JSON_INVALID', 'levels'],
    ['{"DatabasesByNames":{"d":{"oid":"x"}}}', 'JSON_FIELD_INVALID', 'oid must be an integer'],
  ])('refuses %j', async (document, code, message) => {
    for (const chunkBytes of [1, 4096]) {
      const fault = await faultOf(() => eventsOf(document, chunkBytes))
      expect(fault).toMatchObject({ kind: 'corrupt', code, context: { key: origin } })
      expect(fault.message).toContain(message)
      expect(fault.message).toContain(origin)
    }
  })

  it('refuses names that are not UTF-8', async () => {
    const bytes = new TextEncoder().encode('{"Files":{"a?":{}}}')
    bytes[12] = 0xff
    expect(await faultOf(() => eventsOf(bytes))).toMatchObject({ kind: 'corrupt', code: 'JSON_INVALID' })
  })

  it('refuses a single value of more than 16 MiB instead of holding it', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"Files":{"')
      for (;;) yield Buffer.alloc(MIB, 'a')
    }
    const fault = await faultOf(async () => {
      for await (const batch of readFilesMetadata(endless(), { origin })) expect(batch).toEqual([])
    })
    expect(fault).toMatchObject({ kind: 'corrupt', code: 'JSON_TOO_LARGE' })
  })

  it('skips an unknown member of any size', async () => {
    async function* large(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"Later":[')
      const block = Buffer.from('{"a":[1,2,"three"]},'.repeat(10_000))
      for (let index = 0; index < 100; index++) yield block
      yield Buffer.from('0],"Files":{"/a":{}}}')
    }
    const events: FilesMetadataEvent[] = []
    for await (const batch of readFilesMetadata(large(), { origin })) events.push(...batch)
    expect(events).toHaveLength(1)
  })

  it('keeps memory flat for a hundred thousand files, and is quick', async () => {
    const COUNT = 100_000
    function* files(): Generator<readonly FileRecord[]> {
      for (let index = 0; index < COUNT; index += 1000) yield Array.from({ length: 1000 }, (_, step) => file(`/base/16384/${index + step}`))
    }
    const before = process.memoryUsage().rss
    let peak = before
    let events = 0
    const started = performance.now()
    const names = (function* () {
      for (const batch of files()) yield batch.map((record) => record.name)
    })()
    for await (const batch of readFilesMetadata(encodeFilesMetadata({ files: files(), tarFileSets: [{ part: 'part_001.tar', names }] }), {
      origin,
    })) {
      events += batch.length
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    expect(events).toBe(2 * COUNT + 1)
    expect(peak - before).toBeLessThan(100 * MIB)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('closes its source when the consumer stops', async () => {
    let closed = false
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* sourceOf(`{"Files":{${Array.from({ length: 9000 }, (_, index) => `"/${index}":${entry}`).join(',')}`)
        yield* sourceOf('}}')
      } finally {
        closed = true
      }
    }
    for await (const batch of readFilesMetadata(source(), { origin })) if (batch.length > 0) break
    expect(closed).toBe(true)
  })
})
