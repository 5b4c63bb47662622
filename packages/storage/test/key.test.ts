import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkKey, checkPrefix, compareKeys } from '../src/index.ts'

const wellFormed = string({ unit: 'binary' })

describe('compareKeys', () => {
  it('orders as the UTF-8 bytes do', () => {
    const agrees = property(wellFormed, wellFormed, (left, right) => {
      expect(Math.sign(compareKeys(left, right))).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)))
    })
    assert(agrees, { numRuns: 2000 })
    expect(compareKeys('\uFFFD', '😀')).toBeLessThan(0)
    expect(compareKeys('a/b', 'a')).toBeGreaterThan(0)
  })
})

describe('checkKey and checkPrefix', () => {
  it.each(['a', 'a/b', '.hidden', 'a..b', '...', 'a/..b', 'a b', 'ü/😀', '-'])('take %j', (key) => {
    checkKey(key)
    checkPrefix(key)
    checkPrefix(`${key}/`)
  })

  it.each(['/', '/a', 'a//b', '../a', 'a/../b', './a', 'a/./b', 'a\0', '\ud83d'])('refuse %j', (key) => {
    expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: 'STORAGE_KEY_INVALID' }) as Error)
    expect(() => checkPrefix(key)).toThrow(expect.objectContaining({ code: 'STORAGE_KEY_INVALID' }) as Error)
  })

  it.each(['', 'a/', '.', '..', 'a/..', 'a/.'])('take %j as a prefix only: its last part may grow', (text) => {
    checkPrefix(text)
    expect(() => checkKey(text)).toThrow(expect.objectContaining({ code: 'STORAGE_KEY_INVALID' }) as Error)
  })
})
