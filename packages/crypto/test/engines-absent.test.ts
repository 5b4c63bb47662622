import { afterEach, describe, expect, it, vi } from 'vitest'
import { awsKeyService } from '../src/aws-kms.ts'
import { libsodium } from '../src/libsodium.ts'
import { collect, expectSame, faultOf, noise, once, rejection } from './support.ts'

/** As Node says it of a package that is not installed. */
const absent = (name: string) => () => {
  throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
}

afterEach(() => {
  vi.doUnmock('sodium-native')
  vi.doUnmock('libsodium-wrappers')
  vi.doUnmock('@aws-sdk/client-kms')
  vi.resetModules()
})

describe('without a package', () => {
  it('libsodium works with the other engine, and says so', async () => {
    vi.doMock('sodium-native', absent('sodium-native'))
    const told: string[] = []
    const cipher = libsodium({ key: noise(32), onEngine: (name) => told.push(name) })
    expectSame(await collect(cipher.decrypt(cipher.encrypt(once(noise(20_000))))), noise(20_000))
    expect(told).toEqual(['libsodium-wrappers'])
  })

  it('libsodium names the package of the engine that was asked for, or of the last one tried', async () => {
    vi.doMock('sodium-native', absent('sodium-native'))
    vi.doMock('libsodium-wrappers', absent('libsodium-wrappers'))
    for (const [options, name] of [
      [{ engine: 'sodium-native' }, 'sodium-native'],
      [{ engine: 'libsodium-wrappers' }, 'libsodium-wrappers'],
      [{}, 'libsodium-wrappers'],
    ] as const) {
      const fault = await faultOf(libsodium({ key: noise(32), ...options }).encrypt(once(noise(5))))
      expect([fault?.kind, fault?.code, fault?.hint]).toEqual(['unsupported', 'CRYPTO_ENGINE_MISSING', `npm install ${name}`])
    }
  })

  it('AWS KMS names the package to install', async () => {
    vi.doMock('@aws-sdk/client-kms', absent('@aws-sdk/client-kms'))
    const fault = await rejection(awsKeyService({ keyId: 'k', region: 'eu-central-1' }).wrap(noise(32)))
    expect([fault.kind, fault.code, fault.hint]).toEqual(['unsupported', 'CRYPTO_ENGINE_MISSING', 'npm install @aws-sdk/client-kms'])
    expect(fault.message).toContain('@aws-sdk/client-kms')
  })
})
