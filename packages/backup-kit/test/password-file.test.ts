import { describe, expect, it } from 'vitest'
import { findPassword } from '../src/password-file.ts'

const request = { host: 'db1', port: 5432, database: 'app', user: 'backup' }

describe('findPassword', () => {
  it.each([
    ['db1:5432:app:backup:secret', 'secret'],
    ['*:*:*:*:secret', 'secret'],
    ['db2:5432:app:backup:wrong\ndb1:*:*:backup:secret\n*:*:*:*:later', 'secret'],
    ['# db1:5432:app:backup:comment\r\ndb1:5432:app:backup:secret\r\n', 'secret'],
    [String.raw`db1:5432:app:backup:with\:colon\\and\ more`, String.raw`with:colon\and more`],
    ['db1:5432:app:backup:ends:here', 'ends'],
    ['db1:5432:app:backup:', ''],
    ['db1:5432:app:backup', undefined],
    ['db1:5433:app:backup:secret', undefined],
    ['db1:5432:APP:backup:secret', undefined],
    ['', undefined],
  ])('%j gives %j', (text, expected) => expect(findPassword(text, request)).toBe(expected))

  it('matches names with colons and backslashes when they are escaped', () => {
    expect(
      findPassword(String.raw`::1:5432:app:backup:no` + '\n' + String.raw`\:\:1:5432:a\\pp:backup:secret`, {
        ...request,
        host: '::1',
        database: String.raw`a\pp`,
      }),
    ).toBe('secret')
  })

  it('takes a line for a socket directory by its path or as localhost', () => {
    const socket = { ...request, host: '/run/postgresql' }
    expect(findPassword('/run/postgresql:5432:app:backup:path', socket)).toBe('path')
    expect(findPassword('localhost:5432:app:backup:local', socket)).toBe('local')
    expect(findPassword('localhost:5432:app:backup:local', request)).toBeUndefined()
  })
})
