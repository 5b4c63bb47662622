import { createHmac, timingSafeEqual } from 'node:crypto'
import type { KnownHostsFile } from './options.ts'

/** What a line says about the key that it holds. */
export type KnownKeyMark = 'plain' | 'cert-authority' | 'revoked'

/** One line of a known_hosts file that could be read. */
export interface KnownHostLine {
  readonly mark: KnownKeyMark
  /** The first field, as it stands: patterns between commas, or one hashed name. */
  readonly hosts: string
  /** Such as `ssh-ed25519`. */
  readonly keyType: string
  /** The public key as it goes over the wire. */
  readonly key: Buffer
  /** Where it stands, as `path:line`. */
  readonly where: string
}

/** Known hosts, and the places (`path:line`) of lines that could not be read and say nothing. */
export interface KnownHosts {
  readonly lines: readonly KnownHostLine[]
  readonly unreadable: readonly string[]
}

const MARKS: Readonly<Record<string, KnownKeyMark>> = { '@cert-authority': 'cert-authority', '@revoked': 'revoked' }
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** The first characters of a hashed name; HMAC-SHA1 is the only kind that there is. */
const HASH_MAGIC = '|1|'

/** Reads known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). A line that makes no sense is told, not an error: `ssh` goes on, too. */
export function parseKnownHosts(files: readonly KnownHostsFile[]): KnownHosts {
  const lines: KnownHostLine[] = []
  const unreadable: string[] = []
  for (const { path, text } of files) {
    for (const [index, content] of text.split(/\r?\n/).entries()) {
      const where = `${path}:${index + 1}`
      const trimmed = content.trim()
      if (trimmed === '' || trimmed.startsWith('#')) continue
      const line = parseLine(trimmed, where)
      if (line === undefined) unreadable.push(where)
      else lines.push(line)
    }
  }
  return { lines, unreadable }
}

function parseLine(line: string, where: string): KnownHostLine | undefined {
  const fields = line.split(/[ \t]+/)
  const mark = fields[0]?.startsWith('@') === true ? MARKS[fields.shift() as string] : 'plain'
  const [hosts, keyType, base64] = fields
  if (mark === undefined || hosts === undefined || keyType === undefined || base64 === undefined || !BASE64.test(base64)) return undefined
  const key = Buffer.from(base64, 'base64')
  return keyTypeOf(key) === keyType ? { mark, hosts, keyType, key, where } : undefined
}

/** The type that stands in front of a public key in wire format (RFC 4253, 6.6); undefined for what is no key. */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined
  const length = key.readUInt32BE(0)
  return length > 0 && length <= 64 && key.length >= 4 + length ? key.toString('latin1', 4, 4 + length) : undefined
}

/** How a server is called in known_hosts files: the name alone at port 22, otherwise `[name]:port`; in lower case. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** Whether a line's first field means `name`: by its hash, or by one of its patterns and none that is negated. */
export function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name)
  let matches = false
  for (const item of hosts.toLowerCase().split(',')) {
    const negated = item.startsWith('!')
    if (!matchesPattern(negated ? item.slice(1) : item, name)) continue
    if (negated) return false
    matches = true
  }
  return matches
}

function matchesHash(field: string, name: string): boolean {
  const [salt, hash, more] = field.slice(HASH_MAGIC.length).split('|')
  if (!field.startsWith(HASH_MAGIC) || salt === undefined || hash === undefined || more !== undefined) return false
  const expected = Buffer.from(hash, 'base64')
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** `*` is any text, `?` any one character. Without backtracking into earlier stars, so that no pattern takes long. */
function matchesPattern(pattern: string, name: string): boolean {
  let at = 0
  let next = 0
  let star = -1
  let resume = 0
  while (next < name.length) {
    if (pattern[at] === '*') {
      star = at
      at += 1
      resume = next
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[next])) {
      at += 1
      next += 1
    } else if (star >= 0) {
      at = star + 1
      resume += 1
      next = resume
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
