import { readFileSync } from 'node:fs'
import type { KeyServices } from '@waltz/testkit'
import type { KitSurroundings } from '../src/surroundings.ts'

/** Settings by their names. */
export type Values = Readonly<Record<string, string>>

/** A key of the tests of `@waltz/crypto`, armoured. */
export const armoredKey = (name: string): string =>
  readFileSync(new URL(`../../crypto/test/fixtures/openpgp/keys/${name}`, import.meta.url), 'utf8')

/** The ciphers as people set them, and none. */
export const cipherNames = ['none', 'libsodium', 'openpgp', 'envelope-openpgp', 'aws-kms', 'yandex-kms'] as const

export type CipherName = (typeof cipherNames)[number]

/** Settings that encrypt with each of the ciphers. */
export function cipherSettings(services: KeyServices): Readonly<Record<CipherName, Values>> {
  return {
    none: {},
    libsodium: { WALG_LIBSODIUM_KEY: 'a key of libsodium, long enough' },
    openpgp: { WALG_PGP_KEY: armoredKey('ecc.sec.asc') },
    'envelope-openpgp': services.envelopeSettings(armoredKey('ecc.sec.asc')),
    'aws-kms': services.awsSettings(),
    'yandex-kms': services.yandexSettings(),
  }
}

/** Where a kit of these tests runs. */
export function surroundingsIn(temporaryFolder: string, more: Partial<KitSurroundings> = {}): KitSurroundings {
  return { now: () => new Date(), hostname: 'db1', user: 'postgres', processId: process.pid, cores: 2, temporaryFolder, ...more }
}
