import { createHash } from 'node:crypto'
import { Fault } from '@waltz/errors'
import { keyTypeOf, knownHostName, matchesHost, parseKnownHosts, type KnownHostLine } from './known-hosts.ts'
import type { SshHostKeys } from './options.ts'

/** Decides whether the key that a server shows is the right one. */
export interface HostKeyCheck {
  /** The types of keys that can be accepted, such as `ssh-ed25519`; undefined for all. The server is asked for these. */
  readonly acceptedTypes: readonly string[] | undefined
  /** The reason why a key is refused; undefined accepts it. `key` is in wire format. */
  refusal(key: Buffer): Fault | undefined
}

/** Which server is meant. */
export interface CheckedServer {
  readonly host: string
  readonly port: number
  /** For messages. */
  readonly location: string
}

const SETTING = 'WALTZ_SSH_HOST_KEY_CHECK turns the check off, as WAL-G has it, and lets anybody in the way read and change everything'

/** What `ssh-keygen -l` calls a key: `SHA256:` and base64 without padding. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** Makes the check that the options ask for. */
export function createHostKeyCheck(hostKeys: SshHostKeys, server: CheckedServer): HostKeyCheck {
  if (hostKeys.kind === 'accept-any') return { acceptedTypes: undefined, refusal: () => undefined }
  if (hostKeys.kind === 'fingerprints') return checkFingerprints(hostKeys.sha256, server)
  return checkKnownHosts(hostKeys, server)
}

function checkFingerprints(fingerprints: readonly string[], server: CheckedServer): HostKeyCheck {
  const accepted = new Set(fingerprints.map((text) => `SHA256:${text.replace(/^SHA256:/, '').replace(/=+$/, '')}`))
  return {
    acceptedTypes: undefined,
    refusal(key) {
      if (accepted.has(fingerprintOf(key))) return undefined
      return refuse(server, key, {
        code: 'STORAGE_HOST_KEY_CHANGED',
        what: 'has none of the fingerprints that are allowed',
        hint: `ask the owner of the server whether its key was changed, and set the new fingerprint only if so; ${SETTING}`,
      })
    },
  }
}

function checkKnownHosts(hostKeys: SshHostKeys & { readonly kind: 'known-hosts' }, server: CheckedServer): HostKeyCheck {
  const name = knownHostName(server.host, server.port)
  const { lines, unreadable } = parseKnownHosts(hostKeys.files)
  const about = lines.filter((line) => matchesHost(line.hosts, name))
  const plain = about.filter((line) => line.mark === 'plain')
  const files = hostKeys.files.map(({ path }) => path).join(', ')
  const read = `${files === '' ? 'no known_hosts file was found' : `read: ${files}`}${unreadable.length === 0 ? '' : `; lines that make no sense: ${unreadable.join(', ')}`}`
  const add = `if it is the right one, compare this fingerprint with the server's own (ssh-keygen -lf of its host key file) and add the line that ssh-keyscan ${server.port === 22 ? '' : `-p ${server.port} `}${server.host} prints to known_hosts (${read})`
  const types = [...new Set(plain.map((line) => line.keyType))]
  return {
    acceptedTypes: types.length === 0 ? undefined : types,
    refusal(key) {
      const same = about.filter((line) => line.key.equals(key))
      const revoked = same.find((line) => line.mark === 'revoked')
      if (revoked !== undefined)
        return refuse(server, key, { code: 'STORAGE_HOST_KEY_REVOKED', what: `was revoked in ${revoked.where}`, hint: REVOKED_HINT })
      if (same.some((line) => line.mark === 'plain')) return undefined
      const other = plain.find((line) => line.keyType === keyTypeOf(key))
      if (other !== undefined)
        return refuse(server, key, { code: 'STORAGE_HOST_KEY_CHANGED', what: changedWords(other), hint: changedHint(other, name) })
      return refuse(server, key, { code: 'STORAGE_HOST_KEY_UNKNOWN', what: unknownWords(about), hint: `${add}; ${SETTING}` })
    },
  }
}

const REVOKED_HINT = 'this key must not be trusted any more: ask the owner of the server'

function changedWords({ where, key }: KnownHostLine): string {
  return `is not the one in ${where}, which has the fingerprint ${fingerprintOf(key)}`
}

function changedHint({ where }: KnownHostLine, name: string): string {
  return `somebody may be in the way, or the server got a new key: ask its owner, then remove ${where} (ssh-keygen -R '${name}') and add the new key; ${SETTING}`
}

function unknownWords(about: readonly KnownHostLine[]): string {
  if (about.some((line) => line.mark === 'cert-authority'))
    return 'is in no known_hosts file; there is a line for its certificate authority, but host certificates are not supported'
  const types = [...new Set(about.filter((line) => line.mark === 'plain').map((line) => line.keyType))]
  return types.length === 0 ? 'is in no known_hosts file' : `is in no known_hosts file, only keys of other kinds (${types.join(', ')})`
}

interface Refusal {
  readonly code: string
  readonly what: string
  readonly hint: string
}

function refuse({ host, port, location }: CheckedServer, key: Buffer, { code, what, hint }: Refusal): Fault {
  const fingerprint = fingerprintOf(key)
  const keyType = keyTypeOf(key) ?? 'unknown'
  return new Fault('denied', code, `the ${keyType} key of the SSH server ${host} port ${port}, ${fingerprint}, ${what}`, {
    hint,
    context: { location, host, port, keyType, fingerprint },
  })
}
