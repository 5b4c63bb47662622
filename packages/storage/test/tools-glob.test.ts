import { describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { createMemoryStore } from '../src/memory.ts'
import { compileGlob, expandGlob, hasGlobCharacters } from '../src/tools.ts'

/** What Go's path.Match says, from its documentation and its own rules. */
const CASES: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*', '', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'ab/c', false],
  ['a*b', 'axxb', true],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['?', 'é', true],
  ['?', '😀', true],
  ['?', '/', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a[^a]', 'a/', false],
  [String.raw`a\*b`, 'a*b', true],
  [String.raw`a\*b`, 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  [String.raw`[\]a]`, ']', true],
  [String.raw`[\-]`, '-', true],
  [String.raw`[x\-]`, 'x', true],
  [String.raw`[\-x]`, 'z', false],
  ['[a-b-c]', 'b', true],
  ['[z-a]', 'm', false],
  ['a.b+c(d)', 'a.b+c(d)', true],
  ['a.b', 'axb', false],
  ['[.]', 'x', false],
  ['[a&&b]', '&', true],
  ['$^{}|', '$^{}|', true],
]

describe('a pattern', () => {
  it.each(CASES)('%s and %s: %s', (pattern, name, matches) => {
    expect(tryMatch(pattern, name)).toBe(matches)
  })

  it.each(['[', '[a', '[]', '[^', 'a[', '[a-', '[-]', '[x-]', '[-x]', String.raw`a\ `.trim(), String.raw`[\ `.trim()])(
    'that is incomplete is refused: %s',
    (pattern) => {
      expect(() => compileGlob(pattern)).toThrowError(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_PATTERN_INVALID' }))
    },
  )

  it('is told from a name', () => {
    expect(['a', 'a/b.c', 'a*', 'b?', 'c[d]', String.raw`e\f`].map(hasGlobCharacters)).toEqual([false, false, true, true, true, true])
  })
})

/** Go calls `[a-b-c]` a mistake; everything else in the table is a pattern. */
function tryMatch(pattern: string, name: string): boolean {
  if (pattern !== '[a-b-c]') return compileGlob(pattern)(name)
  expect(() => compileGlob(pattern)).toThrow()
  return true
}

describe('patterns over a store', () => {
  const store = createMemoryStore({ now: () => new Date(0) })
  const find = async (pattern: string): Promise<string[]> => {
    const found: string[] = []
    for await (const match of expandGlob(store, pattern)) found.push(`${match.kind} ${match.path}`)
    return found
  }

  it('name folders and objects, level by level', async () => {
    for (const key of ['base/a1/x', 'base/a2/x', 'base/a2/y/z', 'base/b', 'base/ab', 'wal/1', 'top']) await store.put(key, sourceOf('x'))
    expect(await find('')).toEqual(['folder '])
    expect(await find('*')).toEqual(['object top', 'folder base/', 'folder wal/'])
    expect(await find('base/a*')).toEqual(['object base/ab', 'folder base/a1/', 'folder base/a2/'])
    expect(await find('base/a?/x')).toEqual(['object base/a1/x', 'object base/a2/x'])
    expect(await find('/base//a2/*/')).toEqual(['object base/a2/x', 'folder base/a2/y/'])
    expect(await find('none/*')).toEqual([])
    expect(await find('base/b/*')).toEqual([])
  })

  it('say what is wrong before anything is listed', async () => {
    await expect(find('base/[/x')).rejects.toMatchObject({ code: 'STORAGE_PATTERN_INVALID' })
  })
})
