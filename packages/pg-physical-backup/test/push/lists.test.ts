import { closeSync, fstatSync, openSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import type { ClusterEntry } from '../../src/push/cluster-entry.ts'
import { databaseRecords } from '../../src/push/database-records.ts'
import { beginningWith, createEntryQueue } from '../../src/push/entry-queue.ts'
import { readSortedFolder } from '../../src/push/sorted-folder.ts'
import { createSpool, type SpoolFile } from '../../src/push/spool.ts'
import { formatMember, parseMember } from '../../src/push/stored-file.ts'
import { openDescriptors, scratch } from './fakes.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => (folder = scratch()))
afterEach(() => folder.dispose())

const entry = (name: string): ClusterEntry => ({ kind: 'file', name, path: name })

describe('the entry queue', () => {
  it('hands each entry to one taker', () => {
    const queue = createEntryQueue([entry('a'), entry('b'), entry('c')].values(), undefined)
    expect(queue.peek()?.name).toBe('a')
    expect(queue.take()?.name).toBe('a')
    const part = beginningWith(entry('first'), queue)
    expect([part.take()?.name, part.take()?.name, queue.take()?.name, part.take(), queue.peek()]).toEqual([
      'first',
      'b',
      'c',
      undefined,
      undefined,
    ])
  })

  it('repeats a failure instead of ending', () => {
    const queue = createEntryQueue(
      (function* () {
        yield entry('a')
        throw new Error('no such disk')
      })(),
      undefined,
    )
    queue.take()
    expect(() => queue.take()).toThrow('no such disk')
    expect(() => queue.peek()).toThrow('no such disk')
  })

  it('ends the walk when it is closed', () => {
    let ended = false
    const queue = createEntryQueue(
      (function* () {
        try {
          yield entry('a')
          yield entry('b')
        } finally {
          ended = true
        }
      })(),
      undefined,
    )
    queue.take()
    queue.close()
    expect([ended, queue.take()]).toEqual([true, undefined])
  })

  it('stops with the signal', () => {
    const queue = createEntryQueue([entry('a')].values(), AbortSignal.abort(new Error('stop')))
    expect(() => queue.take()).toThrow(expect.objectContaining({ kind: 'aborted' }))
  })
})

describe('the list of members', () => {
  it('keeps any name, time and block list', () => {
    fc.assert(
      fc.property(
        fc.record({
          name: fc.string({ unit: 'grapheme' }).filter((name) => !name.includes('\0')),
          modifiedAtNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
          corruptBlocks: fc.array(fc.nat()),
        }),
        (member) => {
          expect(parseMember(formatMember(member))).toEqual(member)
        },
      ),
    )
  })

  it('holds a file of 1 GiB of which every page is damaged', () => {
    const file = createSpool(folder.path).open()
    const corruptBlocks = Array.from({ length: 131_072 }, (_, block) => block)
    const texts = [
      'before',
      formatMember({ name: '/base/5/1', modifiedAtNs: 1n, corruptBlocks }),
      'after',
      'x'.repeat(200_000),
      'y'.repeat(200_000),
    ]
    for (const text of texts) file.append(text)
    expect([...file.texts()]).toEqual(texts)
    file.close()
  })

  it('forgets what is behind a mark', () => {
    const file = createSpool(folder.path).open()
    file.append('kept')
    const mark = file.mark()
    for (let index = 0; index < 50_000; index += 1) file.append(`dropped ${index}`)
    file.cutTo(mark)
    file.append('last')
    expect([...file.texts()]).toEqual(['kept', 'last'])
    file.close()
  })

  it('never writes to a descriptor that it has closed, which may be another file by now, and closes it once', () => {
    const file = createSpool(folder.path).open()
    file.append('some text')
    file.close()
    // The system gives the number to the next file that is opened.
    const other = openSync(`${folder.path}/other`, 'w+')
    expect(() => [...file.texts()]).toThrow(expect.objectContaining({ code: 'SPOOL_FAILED' }))
    file.close()
    expect(fstatSync(other).size).toBe(0)
    closeSync(other)
  })
})

describe('a folder that cannot be listed to its end', () => {
  it('leaves no list open', async () => {
    for (let index = 0; index < 40; index += 1) folder.plant(`many/${index}`, '')
    const spool = createSpool(folder.path)
    let opened = 0
    const scarce = {
      open(): SpoolFile {
        if ((opened += 1) > 3) throw new Error('too many open files')
        return spool.open()
      },
    }
    expect(() => readSortedFolder(`${folder.path}/many`, scarce, 8)).toThrow('too many open files')
    expect(await openDescriptors(/waltz-spool|waltz-push/)).toBe(0)
  })
})

describe('the records of databases', () => {
  function records(...texts: string[]): unknown {
    const list = createSpool(folder.path).open()
    for (const text of texts) list.append(text)
    const all: unknown[] = []
    for (const { name, oid, tables } of databaseRecords({ list, warnings: [] }))
      all.push({ name, oid, tables: [...(tables as Iterable<unknown>)] })
    list.close()
    return all
  }
  const row = (root: number, oid: number, name: string, isRoot = root === oid): string =>
    JSON.stringify([root, oid, oid + 1000, 's', name, isRoot])

  it('come one after the other, descendants below their root', () => {
    const texts = [
      'D["a",5]',
      row(1, 1, 'one'),
      row(2, 2, 'root'),
      row(2, 3, 'child'),
      row(2, 4, 'grandchild'),
      'D["empty",6]',
      'D["b",7]',
      row(9, 9, 'nine'),
    ]
    const relation = (oid: number, name: string): object => ({ name: `s.${name}`, oid, relFileNode: oid + 1000 })
    expect(records(...texts)).toEqual([
      {
        name: 'a',
        oid: 5,
        tables: [relation(1, 'one'), { ...relation(2, 'root'), subtables: [relation(3, 'child'), relation(4, 'grandchild')] }],
      },
      { name: 'empty', oid: 6, tables: [] },
      { name: 'b', oid: 7, tables: [relation(9, 'nine')] },
    ])
  })

  it('go on with the next database when the relations of one were not wanted', () => {
    const list = createSpool(folder.path).open()
    for (const text of ['D["a",5]', row(1, 1, 'one'), 'D["b",7]']) list.append(text)
    expect([...databaseRecords({ list, warnings: [] })].map(({ name }) => name)).toEqual(['a', 'b'])
    list.close()
  })

  it('do not put a relation below a stranger when its root is not listed', () => {
    expect(records('D["a",5]', row(1, 1, 'one'), row(2, 3, 'orphan', false), row(2, 4, 'sibling', false), row(5, 5, 'five'))).toEqual([
      {
        name: 'a',
        oid: 5,
        tables: ['one', 'orphan', 'sibling', 'five'].map((name) => expect.objectContaining({ name: `s.${name}` }) as unknown),
      },
    ])
  })
})
