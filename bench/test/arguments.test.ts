import { describe, expect, test } from 'vitest'
import { parseArguments, parseSizes } from '../src/arguments.ts'

const names = ['backup', 'restore', 'wal']
const parse = (...args: readonly string[]): ReturnType<typeof parseArguments> => parseArguments(args, names)

describe('the command line', () => {
  test('nothing means all suites, in full', () => {
    expect(parse()).toMatchObject({ mode: 'run', suites: names, quick: false, rounds: 5, sizes: [2 ** 30, 3 * 2 ** 30], relations: 20_000 })
    expect(parse()).toMatchObject({ codecs: ['lz4', 'zstd', 'brotli', 'none'], json: undefined, markdown: undefined, write: false })
  })

  test('a suite that is only run by name is left out unless it is named', () => {
    expect(parseArguments([], ['a', 'b', 'c'], ['a', 'c']).suites).toEqual(['a', 'c'])
    expect(parseArguments(['b'], ['a', 'b', 'c'], ['a', 'c']).suites).toEqual(['b'])
  })

  test('suites keep the order of the table', () => {
    expect(parse('wal', 'backup').suites).toEqual(['backup', 'wal'])
  })

  test('flags win over what --quick says', () => {
    expect(parse('--quick')).toMatchObject({ quick: true, rounds: 2, sizes: [128 * 2 ** 20], codecs: ['lz4', 'zstd'] })
    expect(parse('--quick', '--rounds', '7', '--sizes', '64MiB', '--codecs', 'none')).toMatchObject({
      rounds: 7,
      sizes: [64 * 2 ** 20],
      codecs: ['none'],
    })
  })

  test('files and modes', () => {
    expect(parse('--json', 'a.json', '--markdown=b.md', '--write')).toMatchObject({ json: 'a.json', markdown: 'b.md', write: true })
    expect(parse('--lock', '/tmp/l', '--patience', '3')).toMatchObject({ lock: '/tmp/l', patience: 3 })
    expect(parse()).toMatchObject({ lock: undefined, patience: 0 })
    expect(parse('--list').mode).toBe('list')
    expect(parse('--list', '-h').mode).toBe('help')
  })

  test.each([
    [['codecs'], /no suite codecs; the suites are backup, restore, wal/],
    [['--rounds', '0'], /--rounds takes a number from 1 on, not 0/],
    [['--rounds', 'two'], /not two/],
    [['--patience', '-1'], /--patience/],
    [['--codecs', 'lz4,gzip'], /not gzip/],
    [['--sizes', '5'.repeat(3) + 'x'], /not 555x/],
    [['--fast'], /--fast/],
  ])('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message)
  })
})

describe('sizes', () => {
  test('units, decimals, order, repetition', () => {
    expect(parseSizes('3GiB, 512MiB,1g,1')).toEqual([512 * 2 ** 20, 2 ** 30, 3 * 2 ** 30])
    expect(parseSizes('0.5GB')).toEqual([2 ** 29])
  })

  test('too small a cluster is refused', () => {
    expect(() => parseSizes('16MiB')).toThrow(/from 32MiB on/)
    expect(() => parseSizes('')).toThrow(/--sizes/)
  })
})
