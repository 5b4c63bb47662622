import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync, createWriteStream, createReadStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fromNodeStream, sourceOf } from '@waltz/bytes'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportGpgKey, openpgp, type GpgRun } from '../../src/openpgp.ts'
import { collect, expectSame, faultOf, noise, rejection } from '../support.ts'

const present = spawnSync('gpg', ['--version']).error === undefined
if (!present) console.warn('SKIPPED: the program gpg is not installed')

const KEYS = { rsa: 'rsa2048', ecc: 'cv25519', p256: 'nistp256', p521: 'nistp521', brainpool: 'brainpoolP256r1' } as const
const LENGTHS = [0, 1, 190, 191, 192, 8383, 8384, 65_536, 262_143 - 47, 262_144 - 47, 262_144 - 6, 262_144, 1_000_003]
const home = mkdtempSync(join(tmpdir(), 'waltz-gpg-'))
const now = (): Date => new Date(Date.now() + 1000)

const run: GpgRun = (args, input) =>
  new Promise((resolve, reject) => {
    const child = execFile('gpg', ['--homedir', home, ...args], { maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input ?? '')
  })
const gpg = (args: readonly string[], input: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const child = spawn('gpg', ['--homedir', home, '--batch', '--quiet', '--trust-model', 'always', ...args])
    const out: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    child.stdin.on('error', () => undefined)
    child.on('close', (code) =>
      code === 0 ? resolve(new Uint8Array(Buffer.concat(out))) : reject(new Error(Buffer.concat(errors).toString())),
    )
    child.stdin.end(input)
  })
const cipherOf = async (id: string) =>
  openpgp({ armoredKeys: await exportGpgKey({ keyId: `${id}@waltz.test`, secret: true, run }), now, mustDecrypt: true, mustEncrypt: true })

describe.skipIf(!present)('gpg', () => {
  beforeAll(async () => {
    for (const [id, algorithm] of Object.entries(KEYS)) {
      const primary = algorithm === 'rsa2048' ? algorithm : algorithm.startsWith('nist') ? algorithm : 'ed25519'
      const user = `${id}@waltz.test`
      await run(['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--quick-generate-key', user, primary, 'sign', 'never'])
      const { stdout } = await run(['--batch', '--with-colons', '--list-keys', user])
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1] ?? ''
      await run(['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--quick-add-key', fingerprint, algorithm, 'encr', 'never'])
    }
    await run([
      '--batch',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      'open sesame',
      '--quick-generate-key',
      'locked@waltz.test',
      'rsa2048',
      'default',
      'never',
    ])
  })
  afterAll(() => {
    spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
    rmSync(home, { recursive: true, force: true })
  })

  it.each(Object.keys(KEYS))('reads what is written here, and the other way round: %s', async (id) => {
    const cipher = await cipherOf(id)
    for (const length of LENGTHS) {
      const plain = noise(length)
      expectSame(await gpg(['--decrypt'], await collect(cipher.encrypt(sourceOf(plain)))), plain)
      const theirs = await gpg(['--recipient', `${id}@waltz.test`, '--encrypt'], plain)
      expectSame(await collect(cipher.decrypt(sourceOf(theirs))), plain)
    }
  })

  it('several recipients, each of whom can read', async () => {
    const { stdout } = await run(['--batch', '--armor', '--export', 'rsa@waltz.test', 'ecc@waltz.test', 'p256@waltz.test'])
    const all = await openpgp({ armoredKeys: stdout, now, mustEncrypt: true })
    const ours = await collect(all.encrypt(sourceOf('for all')))
    const theirs = await gpg(
      ['-r', 'rsa@waltz.test', '-r', 'ecc@waltz.test', '--hidden-recipient', 'p256@waltz.test', '--encrypt'],
      Buffer.from('for all'),
    )
    for (const id of ['rsa', 'ecc', 'p256']) {
      const cipher = await cipherOf(id)
      for (const stored of [ours, theirs]) {
        expect(await cipher.fits(stored)).toBe(true)
        expect(new TextDecoder().decode(await collect(cipher.decrypt(sourceOf(stored))))).toBe('for all')
      }
    }
    const outsider = await cipherOf('p521')
    expect(await outsider.fits(theirs)).toBe(false)
    expect((await faultOf(outsider.decrypt(sourceOf(theirs))))?.code).toBe('CRYPTO_KEY_MISMATCH')
    // gpg itself says whom a message is for.
    expect(
      spawnSync('gpg', ['--homedir', home, '--list-only', '--decrypt'], { input: ours })
        .stderr.toString()
        .match(/ID [0-9A-F]+/g),
    ).toHaveLength(3)
  })

  it.each([
    ['--compress-algo', 'zip'],
    ['--compress-algo', 'zlib'],
    ['--compress-algo', 'bzip2'],
    ['--compress-algo', 'none'],
    ['--cipher-algo', 'AES192'],
    ['--cipher-algo', 'AES256'],
    ['--cipher-algo', 'CAST5'],
    ['--cipher-algo', '3DES'],
    ['--cipher-algo', 'TWOFISH'],
    ['--textmode', '--compress-algo', 'none'],
    ['--sign', '--local-user', 'p256@waltz.test'],
    ['--sign', '--local-user', 'rsa@waltz.test', '--compress-algo', 'none'],
    ['--hidden-recipient', 'ecc@waltz.test'],
    ['--throw-keyids'],
    ['--rfc4880', '--compress-algo', 'none'],
  ])('reads messages made with %s %s', async (...options) => {
    const cipher = await cipherOf('rsa')
    const text = options.includes('--textmode')
    const plain = text
      ? Buffer.alloc(340_000, 'a line\r\nanother\r\n')
      : Buffer.concat([noise(70_000), Buffer.alloc(400_000, 'compressible '), noise(5)])
    const stored = await gpg([...options.filter((option) => option !== undefined), '--recipient', 'rsa@waltz.test', '--encrypt'], plain)
    expectSame(await collect(cipher.decrypt(sourceOf(stored))), plain)
    const damaged = Uint8Array.from(stored)
    damaged[damaged.length - 500] = (damaged.at(-500) ?? 0) ^ 1
    expect((await faultOf(cipher.decrypt(sourceOf(damaged))))?.kind).toBe('corrupt')
  })

  it.each([
    ['armoured', ['--armor', '--recipient', 'rsa@waltz.test', '--encrypt'], 'CRYPTO_FORMAT_UNSUPPORTED'],
    ['for a password', ['--passphrase', 'x', '--pinentry-mode', 'loopback', '--symmetric'], 'CRYPTO_FORMAT_UNSUPPORTED'],
    ['without protection', ['--rfc2440', '--recipient', 'rsa@waltz.test', '--encrypt'], 'CRYPTO_FORMAT_UNSUPPORTED'],
    ['not encrypted', ['--store'], 'CRYPTO_FORMAT_UNSUPPORTED'],
  ])('refuses messages that are %s', async (_, args, code) => {
    const stored = await gpg(args, noise(5000))
    expect((await faultOf((await cipherOf('rsa')).decrypt(sourceOf(stored))))?.code).toBe(code)
  })

  it('gives and takes 64 MiB in files', async () => {
    const cipher = await cipherOf('ecc')
    const plain = noise(67_108_864)
    const [ours, theirs, back] = [join(home, 'ours'), join(home, 'theirs'), join(home, 'plain')]
    await pipeline(Readable.from(cipher.encrypt(sourceOf(plain))), createWriteStream(ours))
    expectSame(await gpg(['--decrypt', ours], new Uint8Array(0)), plain)
    writeFileSync(back, plain)
    await gpg(['--recipient', 'ecc@waltz.test', '--compress-algo', 'none', '--output', theirs, '--encrypt', back], new Uint8Array(0))
    expectSame(await collect(cipher.decrypt(fromNodeStream(() => createReadStream(theirs)))), plain)
  })

  describe('its key ring', () => {
    it('gives keys by id, fingerprint and user id', async () => {
      const { stdout } = await run(['--batch', '--with-colons', '--list-keys', 'rsa@waltz.test'])
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1] ?? ''
      for (const keyId of [fingerprint, `0x${fingerprint.slice(-16)}`, fingerprint.slice(-8), 'rsa@waltz.test']) {
        const reading = await openpgp({ armoredKeys: await exportGpgKey({ keyId, secret: true, run }), now })
        const writing = await openpgp({ armoredKeys: await exportGpgKey({ keyId, secret: false, run }), now })
        expect([reading.keyName, reading.canDecrypt, writing.keyName, writing.canDecrypt]).toEqual([fingerprint, true, fingerprint, false])
      }
    })

    it('gives a protected key with its passphrase, still locked', async () => {
      const armoredKeys = await exportGpgKey({ keyId: 'locked@waltz.test', secret: true, run, passphrase: 'open sesame' })
      expect((await openpgp({ armoredKeys, now })).canDecrypt).toBe(false)
      expect((await openpgp({ armoredKeys, now, passphrase: 'open sesame' })).canDecrypt).toBe(true)
      const wrong = await rejection(exportGpgKey({ keyId: 'locked@waltz.test', secret: true, run, passphrase: 'wrong' }))
      expect(wrong.code).toBe('CRYPTO_GPG_KEY_MISSING')
      expect(JSON.stringify([wrong.message, wrong.context])).not.toContain('wrong"')
    })

    it('has no key of that id', async () => {
      for (const secret of [true, false]) {
        const fault = await rejection(exportGpgKey({ keyId: 'DEADBEEFDEADBEEF', secret, run }))
        expect([fault.kind, fault.code]).toEqual(['invalid', 'CRYPTO_GPG_KEY_MISSING'])
      }
    })

    it.each(['', '--output=/tmp/x', '-a', 'two\nlines', 'nul\0', 'x'.repeat(300)])('is not asked for %j', async (keyId) => {
      const asked: string[] = []
      const fault = await rejection(
        exportGpgKey({
          keyId,
          secret: false,
          run: async (args) => {
            asked.push(...args)
            return { exitCode: 0, stdout: '-----BEGIN PGP PUBLIC KEY BLOCK-----', stderr: '' }
          },
        }),
      )
      expect([fault.code, asked]).toEqual(['CRYPTO_KEY_INVALID', []])
    })

    it('is not there without the program', async () => {
      const absent: GpgRun = () => Promise.reject(Object.assign(new Error('spawn gpg ENOENT'), { code: 'ENOENT' }))
      expect((await rejection(exportGpgKey({ keyId: 'DEADBEEF', secret: true, run: absent }))).code).toBe('CRYPTO_GPG_FAILED')
    })
  })
})
