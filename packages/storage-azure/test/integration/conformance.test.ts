import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conformanceCases } from '@waltz/storage/conformance'
import { withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { sharedServer } from '@waltz/testkit'
import { isFault } from '@waltz/errors'
import { azuriteStore, quickly } from '../support/store.ts'

const azurite = await sharedServer('azurite')

const stores: readonly (readonly [name: string, make: (container: string) => ObjectStore])[] = [
  ['as it is', (container) => azuriteStore(azurite.server, { container })],
  ['in blocks of 64 KiB, pages of 10', (container) => azuriteStore(azurite.server, { container, bufferBytes: 65_536, pageSize: 10 })],
  ['with retries and a prefix', (container) => withPrefix(withRetry(azuriteStore(azurite.server, { container }), quickly), 'some/folder')],
]

/** The names of this case hold a backslash, which Azure makes a slash: the store refuses it, and `names.test.ts` shows the others. */
const REFUSED = 'keys may hold any characters'

describe.skipIf(azurite.missing !== undefined).each(stores)(`Azure store on ${azurite.title}, %s`, (_name, make) => {
  let store: ObjectStore
  beforeAll(async () => {
    store = make(await azurite.server.createContainer())
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
  })
  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (name, item) => {
    expect(item.needs?.(store) ?? true).toBe(true)
    if (name !== REFUSED) {
      await item.run(store)
      return
    }
    const error: unknown = await item.run(store).catch((error: unknown) => error)
    expect(isFault(error, 'invalid') && error.code).toBe('STORAGE_KEY_INVALID')
    expect(String(error)).toContain('backslash')
  })
})
