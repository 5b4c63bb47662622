import { settingsTable, type SettingRow } from '@waltz/settings'
import { describe, expect, it } from 'vitest'
import { azureProofs } from './proofs/azure.ts'
import { gcsProofs } from './proofs/gcs.ts'
import { ossProofs } from './proofs/oss.ts'
import { PROVEN_AREAS } from './proofs/proof.ts'
import { keyless, onInstance, s3Proofs } from './proofs/s3.ts'
import { failoverProofs, sharedProofs } from './proofs/shared.ts'
import { sshProofs } from './proofs/ssh.ts'
import { swiftProofs } from './proofs/swift.ts'
import { bytesOf, countOf, headerOf } from './proofs/proof.ts'

/** Those of SSH run at a real server, in `integration/ssh-settings.test.ts`. */
const here = { ...s3Proofs, ...gcsProofs, ...azureProofs, ...ossProofs, ...swiftProofs, ...sharedProofs, ...failoverProofs }

describe('settings of storages', () => {
  const rows = Object.entries<SettingRow>(settingsTable).filter(([, { area }]) => (PROVEN_AREAS as readonly string[]).includes(area))

  it('have a proof each', () => {
    const proven = new Set(Object.keys({ ...here, ...sshProofs }))
    expect(rows.filter(([key, { availability }]) => availability === 'now' && !proven.has(key)).map(([, { name }]) => name)).toEqual([])
  })

  it('that Waltz does not act on have a reason', () => {
    const refused = rows.filter(([, { availability }]) => availability !== 'now')
    expect(refused.map(([, { name }]) => name)).not.toEqual([])
    expect(refused.filter(([, { note }]) => note === undefined).map(([, { name }]) => name)).toEqual([])
  })
})

describe('settings that reach a server, which writes down what arrives', () => {
  it.each(Object.entries(here))('%s', async (_key, proof) => {
    await proof()
  })
})

describe('credentials of an instance', () => {
  it('are asked for with a token, and anew before they end', async () => {
    const chain = { ...keyless, AWS_PROFILE: undefined }
    const several = async (store: Parameters<Parameters<typeof onInstance>[1]>[0]): Promise<void> => {
      for (const name of ['a', 'b', 'c']) await store.put(name, bytesOf(1))
    }
    const long = await onInstance(chain, several)
    expect(countOf(long, /security-credentials\/backup-role/)).toBe(1)
    expect(headerOf(long, 'authorization', /PUT \/bucket/)).toContain('Credential=IMDS1/')
    expect(headerOf(long, 'x-amz-security-token', /PUT \/bucket/)).toBe('token-of-IMDS1')
    // Keys with less than five minutes left are fetched anew, while the old ones still serve.
    const patient = async (store: Parameters<typeof several>[0]): Promise<void> => {
      for (const name of ['a', 'b', 'c', 'd']) {
        await store.put(name, bytesOf(1))
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
    }
    const short = await onInstance(chain, patient, 30)
    expect(headerOf(short, 'authorization', /PUT .*\/d/)).toMatch(/Credential=IMDS([2-9]|\d\d)\//)
  })
})
