import { describe, expect, it } from 'vitest'
import { memberKey, partBaseName, placeOfMember } from '../src/restore/member-name.ts'

describe('placeOfMember', () => {
  it.each([
    ['/base/5/1259', 'base/5/1259'],
    ['base/5/1259', 'base/5/1259'],
    ['./base/5/1259', 'base/5/1259'],
    ['.//base//5/./1259/', 'base/5/1259'],
    ['/a b/ü\\x', 'a b/ü\\x'],
    ['/...', '...'],
    ['/..a/b..', '..a/b..'],
  ])('%s is below the data directory', (name, path) => {
    expect(placeOfMember(name)).toEqual({ kind: 'path', path })
    expect(memberKey(name)).toBe(path)
  })

  it.each(['/', '', './', '.', '//'])('%j is the data directory', (name) => {
    expect(placeOfMember(name)).toEqual({ kind: 'root' })
  })

  it.each(['..', '../x', '/../etc/passwd', 'base/../../x', '/base/..', 'a/\0/b', '/a/../b'])('%j is refused', (name) => {
    expect(placeOfMember(name).kind).toBe('unsafe')
    expect(memberKey(name)).toBe(name)
  })
})

describe('partBaseName', () => {
  it.each([
    ['part_001.tar.lz4', 'part_001.tar'],
    ['part_001.tar.', 'part_001.tar'],
    ['part_001.tar', 'part_001.tar'],
    ['copy_0.tar.tar', 'copy_0.tar'],
    ['pg_control.tar.zst', 'pg_control.tar'],
  ])('%s -> %s', (name, base) => expect(partBaseName(name)).toBe(base))

  it('knows nothing about other objects', () => expect(partBaseName('manifest.json')).toBeUndefined())
})
