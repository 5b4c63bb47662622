import type { ObjectStore } from '../object-store.ts'
import { defineCase, type ConformanceCase } from './case.ts'
import { expectBytes, expectFault, expectSame, expectSameInfo, listGroupNames, listKeys, readBytes } from './expect.ts'
import { textSource } from './sources.ts'

/** In ascending byte order: '-' and '.' sort before '/', which sorts before digits; 4-byte characters after U+FFFD. */
const ORDERED = ['A', 'a-z', 'a.b', 'a/z', 'a/z-', 'a0', 'aa/a', 'b', 'z/y/x', 'z/y0', 'z0', 'é', '한', '\uFFFD', '😀', '😁/a']
/** The same in both normal forms, which are two different keys. */
const ODD_NAMES = [
  'with space',
  ' lead and trail ',
  `quote"and'quote`,
  'plus+plus',
  '100%',
  '%41',
  'hash#1',
  'question?x=1&y=2',
  'e\u0301',
  '\u00e9',
  'back\\slash',
  'co:lon',
  'star*',
  '~tilde',
  '.hidden',
  '...',
  'a..b',
  '(x)[y]{z}',
  '<&>',
  'semi;colon,comma',
  '$var',
  '@at!',
  'tést/ünï/код.json',
  'trailing.',
  'trailing..',
  'dots../x',
  'a b+c%20d',
  'a%2Fb',
  '%',
  '+',
  '-rf',
  '__proto__',
  'constructor',
]
const MANY = 1_100

/** Listing objects. */
export const listCases: readonly ConformanceCase[] = [
  defineCase('list is in byte order of the whole key', async ({ store, at, prefix }) => {
    const keys = sortedByBytes(ORDERED).map(at)
    await putAll(store, shuffled(keys))
    expectSame(await listKeys(store, prefix), keys, 'order')
  }),
  defineCase('list takes any prefix of the keys, not only directories', async ({ store, at, prefix }) => {
    const keys = ['aa', 'ab-c', 'ab/c', 'ab/d/e', 'abc', 'abcd/x', 'b'].map(at)
    await putAll(store, keys)
    for (const start of [
      '',
      'a',
      'aa',
      'aaa',
      'ab',
      'ab/',
      'ab/d',
      'ab/d/',
      'ab/d/e',
      'abc',
      'abc/',
      'abcd',
      'abcd/',
      'b',
      'b/',
      'c',
      'none/at/all/',
    ]) {
      const expected = keys.filter((key) => key.startsWith(prefix + start))
      expectSame(await listKeys(store, prefix + start), expected, `prefix ${start}`)
    }
    expectSame(await listKeys(store, prefix.slice(0, -1)), keys, 'the prefix without its slash')
    const everything = await listKeys(store, '')
    expectSame(
      everything.filter((key) => key.startsWith(prefix)),
      keys,
      'the empty prefix',
    )
  }),
  defineCase('list of one level leaves out what lies deeper', async ({ store, at, prefix }) => {
    await putAll(store, [at('x/a'), at('x/b/c'), at('x/b/d/e'), at('x/bc'), at('xy'), at('z')])
    expectSame(await listKeys(store, at('x/'), { oneLevel: true }), [at('x/a'), at('x/bc')], 'a folder')
    expectSame(await listKeys(store, at('x'), { oneLevel: true }), [at('xy')], 'a beginning of names')
    expectSame(await listKeys(store, at('x/b'), { oneLevel: true }), [at('x/bc')], 'a beginning below a folder')
    expectSame(await listKeys(store, at('x/'), { oneLevel: true, after: at('x/b/c') }), [at('x/bc')], 'with after')
    expectSame(await listKeys(store, prefix, { oneLevel: true }), [at('xy'), at('z')], 'the whole')
  }),
  defineCase('list goes on after any text', async ({ store, at, prefix }) => {
    const keys = sortedByBytes([...ORDERED, 'a/b/c', 'a/b/d', 'm']).map(at)
    await putAll(store, keys)
    const marks = [
      ...keys,
      ...['', '0', 'a', 'a/', 'a/b', 'a/b/', 'a/b/cc', 'a/b0', 'a/zz', 'lost', 'zz', '😀😀'].map(at),
      '',
      '!',
      '~',
      'a',
    ]
    for (const after of marks) {
      const expected = keys.filter((key) => compareBytes(key, after) > 0)
      expectSame(await listKeys(store, prefix, { after }), expected, `after ${after}`)
    }
    expectSame(await listKeys(store, at('a/'), { after: at('a/b/c') }), [at('a/b/d'), at('a/z'), at('a/z-')], 'prefix and after')
    expectSame(await listKeys(store, at('a/'), { after: at('m') }), [], 'after beyond the prefix')
  }),
  defineCase('list gives more than a thousand keys, once each and in order', async ({ store, at, prefix }) => {
    const keys = Array.from({ length: MANY }, (_, index) => at(`${String(index % 7)}/${String(index).padStart(6, '0')}`))
    await inLanes(keys, 20, (key) => store.put(key, textSource(key)))
    const expected = sortedByBytes(keys)
    expectSame(await listKeys(store, prefix), expected, 'all')
    expectSame(await listKeys(store, prefix, { after: expected[1000] as string }), expected.slice(1001), 'the rest')
    expectSame((await listGroupNames(store, prefix)).length, 7, 'groups')
    await store.delete(keys)
    expectSame(await listKeys(store, prefix), [], 'after deleting them all at once')
  }),
  defineCase('keys may hold any characters', async ({ store, at, prefix }) => {
    for (const name of ODD_NAMES) await store.put(at(name), textSource(name))
    for (const name of ODD_NAMES) {
      expectSame((await store.head(at(name))).key, at(name), 'head')
      expectBytes(await readBytes(store, at(name)), new TextEncoder().encode(name), name)
      expectSame(
        await listKeys(store, at(name)),
        sortedByBytes(ODD_NAMES.filter((other) => other.startsWith(name))).map(at),
        `listing ${name}`,
      )
    }
    expectSame(await listKeys(store, prefix), sortedByBytes(ODD_NAMES).map(at), 'list')
    await store.delete(ODD_NAMES.map(at))
    expectSame(await listKeys(store, prefix), [], 'after deleting')
  }),
  defineCase('keys may be very long', async ({ store, prefix, at }) => {
    const part = 'x'.repeat(180)
    const key = `${at(part)}/${part}/${part}/${part}/`.padEnd(900, 'y')
    await store.put(key, textSource('deep'))
    expectSame(await listKeys(store, prefix), [key], 'list')
    expectBytes(await readBytes(store, key), new TextEncoder().encode('deep'), 'bytes')
    await store.delete([key])
    await expectFault('not-found', () => store.head(key), 'head after deleting')
  }),
  defineCase('list shows what head shows', async ({ store, at, prefix }) => {
    for (const size of [0, 1, 1000]) await store.put(at(`folder/${size}`), textSource('x'.repeat(size)))
    for await (const info of store.list(prefix)) expectSameInfo(info, await store.head(info.key), info.key)
  }),
  defineCase('list can be left early, and nothing is there to list', async ({ store, at }) => {
    await putAll(store, ['x/1', 'x/2', 'x/3'].map(at))
    for await (const info of store.list(at('x/'))) if (info.key !== '') break
    expectSame(await listKeys(store, at('nothing/')), [], 'an empty listing')
  }),
  defineCase('a listing survives keys that vanish under it', async ({ store, at, prefix }) => {
    const keys = Array.from({ length: 200 }, (_, index) => at(`${String(index % 5)}/${String(index).padStart(4, '0')}`))
    await inLanes(keys, 20, (key) => store.put(key, textSource('x')))
    const seen: string[] = []
    for await (const info of store.list(prefix)) {
      if (seen.length === 0) await store.delete(keys.slice(1).filter((_, index) => index % 2 === 0))
      seen.push(info.key)
    }
    expectSame(seen, sortedByBytes(seen), 'order')
    const left = await listKeys(store, prefix)
    expectSame(
      left.filter((key) => !seen.includes(key)),
      [],
      'keys that stayed but were not listed',
    )
  }),
  defineCase('a prefix that no key can have is invalid', async ({ store, prefix }) => {
    for (const bad of ['/', `/${prefix}`, `${prefix}/`, `${prefix}../`, './', `${prefix}\0`]) {
      await expectFault('invalid', () => listKeys(store, bad), `list of ${JSON.stringify(bad)}`)
      await expectFault('invalid', () => listGroupNames(store, bad), `listGroups of ${JSON.stringify(bad)}`)
    }
  }),
]

async function putAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  for (const key of keys) await store.put(key, textSource(key))
}

async function inLanes(keys: readonly string[], lanes: number, run: (key: string) => Promise<unknown>): Promise<void> {
  const rest = keys.values()
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (const key of rest) await run(key)
    }),
  )
}

/** The order that the contract names, made from the bytes themselves. */
function compareBytes(left: string, right: string): number {
  const encoder = new TextEncoder()
  const [a, b] = [encoder.encode(left), encoder.encode(right)]
  const index = a.findIndex((byte, at) => byte !== b[at])
  return index < 0 ? a.length - b.length : (a[index] ?? 0) - (b[index] ?? -1)
}

function sortedByBytes(keys: readonly string[]): string[] {
  return keys.toSorted(compareBytes)
}

/** Not the order wanted, and always the same. */
function shuffled(keys: readonly string[]): string[] {
  return keys.toReversed().toSorted((left, right) => ((left.length * 7) % 5) - ((right.length * 7) % 5))
}
