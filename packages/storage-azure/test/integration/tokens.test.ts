import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { conformanceCases } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { soaking } from '@waltz/testkit'
import { createAzureStore, type AzureStoreOptions } from '@waltz/storage-azure'
import { storageFacts } from '../support/facts.ts'
import {
  madeUpToken,
  missingForTokens,
  startMetadataFake,
  startOauthAzurite,
  type MetadataFake,
  type OauthAzurite,
} from '../support/oauth-azurite.ts'
import { azureOptions } from '../support/store.ts'

const missing = missingForTokens()
/** Where the identity library looks for the metadata service, in place of an address of the cloud. */
const METADATA_HOST = 'AZURE_POD_IDENTITY_AUTHORITY_HOST'

describe.skipIf(missing !== undefined)(`tokens and TLS, on an Azurite of its own${missing === undefined ? '' : ` (${missing})`}`, () => {
  let azurite: OauthAzurite
  let metadata: MetadataFake
  const before = process.env[METADATA_HOST]
  beforeAll(async () => {
    azurite = await startOauthAzurite()
    metadata = await startMetadataFake()
    process.env[METADATA_HOST] = metadata.url
  })
  afterAll(async () => {
    if (before === undefined) delete process.env[METADATA_HOST]
    else process.env[METADATA_HOST] = before
    await metadata?.[Symbol.asyncDispose]()
    await azurite?.[Symbol.asyncDispose]()
  })
  const storeWith = (options: Partial<AzureStoreOptions>): MaintainedStore => {
    const { endpoint, ca, container } = azurite
    return createAzureStore(azureOptions({ endpoint, ca, container, credentials: { kind: 'managed-identity' }, ...options }))
  }

  it.each<[string, AzureStoreOptions['credentials']]>([
    ['the identity of this machine', { kind: 'managed-identity' }],
    ['an identity that is named', { kind: 'managed-identity', clientId: 'client-7' }],
    ['the default chain', { kind: 'default' }],
  ])('%s serves every kind of request', async (name, credentials) => {
    metadata.give(madeUpToken())
    await using store = storeWith({ credentials, bufferBytes: 65_536 })
    const bytes = Buffer.alloc(200_000, name)
    await store.put(`${name}/blocks`, sourceOf(bytes), { onlyIfAbsent: true })
    await expect(store.put(`${name}/blocks`, sourceOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject({ kind: 'already-exists' })
    expect(Buffer.from(await readAll(await store.get(`${name}/blocks`), 200_000))).toEqual(bytes)
    await store.copy(`${name}/blocks`, `${name}/copy`)
    expect((await Array.fromAsync(store.list(`${name}/`))).map(({ size }) => size)).toEqual([200_000, 200_000])
    await store.delete([`${name}/blocks`, `${name}/copy`])
    expect(metadata.asked.at(-1)?.get('resource')).toMatch(/^https:\/\/storage\.azure\.com/)
    if ('clientId' in credentials) expect(metadata.asked.at(-1)?.get('client_id')).toBe('client-7')
  })

  it('reaches the metadata service past the proxy of the storage', async () => {
    await using store = storeWith({ proxy: 'http://127.0.0.1:1', noProxy: '127.0.0.1' })
    await store.put('past/proxy', sourceOf('x'))
    // With a proxy that is dead the token still comes; the storage does not.
    const asked = metadata.asked.length
    await using stuck = storeWith({ proxy: 'http://127.0.0.1:1', credentials: { kind: 'managed-identity', clientId: 'client-8' } })
    await expect(stuck.head('past/proxy')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(metadata.asked.length).toBeGreaterThan(asked)
  })

  it('trusts no certificate that it was not told to trust', async () => {
    const { endpoint, container } = azurite
    await using store = createAzureStore(azureOptions({ endpoint, container, credentials: { kind: 'managed-identity' } }))
    await expect(store.head('x')).rejects.toMatchObject({ kind: 'denied', message: expect.stringContaining('SELF_SIGNED_CERT') })
  })

  it('is denied, without showing a token, when there is no identity or the token has ended', async () => {
    metadata.give(undefined)
    await using nobody = storeWith({ credentials: { kind: 'managed-identity', clientId: 'client-9' } })
    const unknown: unknown = await nobody.head('x').catch((error: unknown) => error)
    expect(unknown).toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED', hint: expect.stringContaining('managed identity') })
    const ended = madeUpToken({ endsInSeconds: -60 })
    metadata.give(ended)
    await using late = storeWith({ credentials: { kind: 'managed-identity', clientId: 'client-10' } })
    const refused: unknown = await late.head('x').catch((error: unknown) => error)
    expect(refused).toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED' })
    for (const error of [unknown, refused] as readonly Error[]) {
      const shown = JSON.stringify([error, error.message, String(error.cause), Object.values(error.cause ?? {})])
      expect(shown).not.toContain(ended.split('.')[1])
      expect(shown).not.toMatch(/Bearer /)
    }
    metadata.give(madeUpToken())
  })

  const cases = conformanceCases.filter(({ name }) => !Object.keys(storageFacts.refused).includes(name))
  it.each((soaking ? cases : []).map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_name, item) => {
    await using store = storeWith({})
    await item.run(store)
  })
})
