import { describe, expect, it } from 'vitest'
import { checkName, checkNamePrefix, checkSoughtName } from '../src/names.ts'

describe('names of blobs', () => {
  it.each(['a', 'a/b', ' a ', '.hidden', 'a..b', '100%', 'é/😀', 'x'.repeat(1024)])('takes %j', (name) => {
    expect(() => checkName(name)).not.toThrow()
    expect(() => checkNamePrefix(name)).not.toThrow()
  })
  it.each([
    '',
    '/a',
    'a/',
    'a//b',
    '..',
    'back\\slash',
    'dot.',
    'dot./b',
    '...',
    'a\nb',
    'a\u007f',
    'a\uffff',
    'x'.repeat(1025),
    'a/'.repeat(254) + 'a',
  ])('refuses %j', (name) => {
    expect(() => checkName(name)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_KEY_INVALID' }))
  })
  it('takes a beginning that may still grow', () => {
    expect(() => checkNamePrefix('folder/name.')).not.toThrow()
    expect(() => checkNamePrefix('')).not.toThrow()
    expect(() => checkNamePrefix('folder./name')).toThrow('ends in a dot')
    expect(() => checkNamePrefix('a\\b')).toThrow('backslash')
  })
  it('says of a name that it cannot hold, and that is only looked for, that it is not there', () => {
    expect(() => checkSoughtName('wal_005/000000010000000000000001', 'here')).not.toThrow()
    for (const name of ['wal_005/000000010000000000000001.', 'back\\slash', 'a\nb', 'x'.repeat(1025)])
      expect(() => checkSoughtName(name, 'here')).toThrow(expect.objectContaining({ kind: 'not-found', code: 'STORAGE_NOT_FOUND' }))
    expect(() => checkSoughtName('a//b', 'here')).toThrow(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_KEY_INVALID' }))
  })
})
