import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHostKeyCheck, fingerprintOf } from '../src/host-key-check.ts'
import { keyTypeOf, knownHostName, matchesHost, parseKnownHosts } from '../src/known-hosts.ts'
import type { SshHostKeys } from '../src/options.ts'
import { makeKey, wireKey } from './support/plain-server.ts'

const [one, two, rsa] = [makeKey(), makeKey(), makeKey('rsa')]
const publicLine = (key: { readonly public: string }): string => key.public.split(' ').slice(0, 2).join(' ')
const knownHosts = (text: string): SshHostKeys => ({ kind: 'known-hosts', files: [{ path: 'known_hosts', text }] })
const codeOf = (hostKeys: SshHostKeys, key: { readonly public: string }, host = 'db.example.org', port = 22): string | undefined =>
  createHostKeyCheck(hostKeys, { host, port, location: 'ssh://x/y' }).refusal(wireKey(key.public))?.code

describe('known_hosts', () => {
  it('reads names, ports, patterns, marks and comments, and tells the lines that it cannot read', () => {
    const text = [
      '# a comment',
      '',
      `db.example.org,10.0.0.1 ${publicLine(one)} with a comment`,
      `@revoked * ${publicLine(two)}`,
      `@cert-authority *.example.org ${publicLine(rsa)}`,
      'db.example.org ssh-ed25519',
      'db.example.org ssh-ed25519 !!!!',
      `db.example.org ssh-rsa ${publicLine(one).split(' ')[1] ?? ''}`,
      `@unheard-of db.example.org ${publicLine(one)}`,
    ].join('\r\n')
    const { lines, unreadable } = parseKnownHosts([{ path: 'f', text }])
    expect(lines.map(({ mark, hosts, keyType, where }) => [mark, hosts, keyType, where])).toEqual([
      ['plain', 'db.example.org,10.0.0.1', 'ssh-ed25519', 'f:3'],
      ['revoked', '*', 'ssh-ed25519', 'f:4'],
      ['cert-authority', '*.example.org', 'ssh-rsa', 'f:5'],
    ])
    expect(unreadable).toEqual(['f:6', 'f:7', 'f:8', 'f:9'])
  })

  it.each([
    ['db', 'db', true],
    ['DB.example.org', 'db.example.org', true],
    ['db', 'dba', false],
    ['*.example.org', 'db.example.org', true],
    ['*.example.org', 'example.org', false],
    ['db?.x', 'db1.x', true],
    ['db?.x', 'db.x', false],
    ['*,!db', 'db', false],
    ['!db,*', 'other', true],
    ['!db', 'other', false],
    ['[db]:2222', '[db]:2222', true],
    ['db', '[db]:2222', false],
    ['[*]:2222', '[db]:2222', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-b-c-d', false],
  ])('the pattern %s and the name %s: %s', (pattern, name, matches) => expect(matchesHost(pattern, name)).toBe(matches))

  it('a name that it writes is found again, whatever it is made of', () => {
    const name = fc.stringMatching(/^[a-z0-9.-]{1,30}$/)
    fc.assert(
      fc.property(name, fc.integer({ min: 1, max: 65_535 }), fc.array(name, { maxLength: 4 }), (host, port, others) => {
        const known = knownHostName(host.toUpperCase(), port)
        expect(matchesHost([...others, known].join(','), known)).toBe(true)
        expect(matchesHost([...others, `!${known}`, '*'].join(','), known)).toBe(false)
      }),
    )
  })

  it('patterns agree with the expression that they stand for', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,12}$/), fc.stringMatching(/^[ab]{0,12}$/), (pattern, name) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`)
        expect(matchesHost(pattern, name)).toBe(expression.test(name))
      }),
    )
  })

  it('no text makes it fail', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, name) => {
        for (const { hosts } of parseKnownHosts([{ path: 'f', text }]).lines) matchesHost(hosts, name)
        matchesHost(text, name)
        keyTypeOf(Buffer.from(text))
      }),
    )
  })
})

describe('the check of a host key', () => {
  it('accepts a known key, also among others, and names what is wrong with another', () => {
    const known = knownHosts(`db.example.org ${publicLine(one)}\ndb.example.org ${publicLine(rsa)}`)
    expect(codeOf(known, one)).toBeUndefined()
    expect(codeOf(known, rsa)).toBeUndefined()
    expect(codeOf(known, two)).toBe('STORAGE_HOST_KEY_CHANGED')
    expect(codeOf(known, one, 'elsewhere')).toBe('STORAGE_HOST_KEY_UNKNOWN')
    expect(codeOf(known, one, 'db.example.org', 2222)).toBe('STORAGE_HOST_KEY_UNKNOWN')
    expect(codeOf(knownHosts(`db.example.org ${publicLine(one)}\ndb.example.org ${publicLine(two)}`), two)).toBeUndefined()
    expect(codeOf(knownHosts(`db.example.org ${publicLine(rsa)}`), one)).toBe('STORAGE_HOST_KEY_UNKNOWN')
    expect(codeOf(knownHosts(''), one)).toBe('STORAGE_HOST_KEY_UNKNOWN')
  })

  it('a revoked key is refused even when another line knows it, and an authority is no key of a host', () => {
    expect(codeOf(knownHosts(`db.example.org ${publicLine(one)}\n@revoked * ${publicLine(one)}`), one)).toBe('STORAGE_HOST_KEY_REVOKED')
    expect(codeOf(knownHosts(`@cert-authority * ${publicLine(one)}`), one)).toBe('STORAGE_HOST_KEY_UNKNOWN')
  })

  it('says which key it was and what to do', () => {
    const check = createHostKeyCheck(knownHosts(`[h]:7 ${publicLine(one)}`), { host: 'h', port: 7, location: 'ssh://h:7/y' })
    const changed = check.refusal(wireKey(two.public))
    expect(changed).toMatchObject({ kind: 'denied', retryable: false })
    expect(changed?.message).toContain(fingerprintOf(wireKey(two.public)))
    expect(changed?.message).toContain('known_hosts:1')
    expect(changed?.hint).toContain("ssh-keygen -R '[h]:7'")
    expect(changed?.hint).toContain('WALTZ_SSH_HOST_KEY_CHECK')
    const unknown = createHostKeyCheck(knownHosts('nonsense'), { host: 'h', port: 7, location: '' }).refusal(wireKey(two.public))
    expect(unknown?.hint).toMatch(
      /ssh-keyscan -p 7 h .*read: known_hosts; lines that make no sense: known_hosts:1.*WALTZ_SSH_HOST_KEY_CHECK/,
    )
  })

  it('takes fingerprints in the forms in which people copy them', () => {
    const print = fingerprintOf(wireKey(one.public))
    for (const sha256 of [print, print.replace('SHA256:', ''), `${print}=`]) {
      expect(codeOf({ kind: 'fingerprints', sha256: [sha256] }, one)).toBeUndefined()
      expect(codeOf({ kind: 'fingerprints', sha256: [sha256] }, two)).toBe('STORAGE_HOST_KEY_CHANGED')
    }
    expect(codeOf({ kind: 'accept-any' }, two)).toBeUndefined()
  })
})

describe.skipIf(!existsSync('/usr/bin/ssh-keygen'))('files that ssh-keygen wrote', () => {
  let folder: string
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'known-hosts-'))))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('hashed names are found, others are not, and fingerprints are the same', () => {
    const file = join(folder, 'known_hosts')
    writeFileSync(file, `db.example.org,[db.example.org]:2222 ${publicLine(one)}\nother ${publicLine(two)}\n`)
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'pipe' })
    const text = readFileSync(file, 'utf8')
    expect(text).not.toContain('example')
    expect(parseKnownHosts([{ path: file, text }]).lines).toHaveLength(3)
    expect(codeOf(knownHosts(text), one)).toBeUndefined()
    expect(codeOf(knownHosts(text), one, 'db.example.org', 2222)).toBeUndefined()
    expect(codeOf(knownHosts(text), two)).toBe('STORAGE_HOST_KEY_CHANGED')
    expect(codeOf(knownHosts(text), two, 'db.example.org', 2223)).toBe('STORAGE_HOST_KEY_UNKNOWN')
    const listed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' })
    expect(listed).toContain(fingerprintOf(wireKey(one.public)))
  })
})
