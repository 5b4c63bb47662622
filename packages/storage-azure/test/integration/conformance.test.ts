import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conformanceCases, largeCases, partCases, raceCases, type ConformanceCase } from '@waltz/storage/conformance'
import { withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { formsToRun, sharedServer, soaking } from '@waltz/testkit'
import { isFault } from '@waltz/errors'
import { storageFacts } from '../support/facts.ts'
import { azuriteStore, quickly } from '../support/store.ts'

const azurite = await sharedServer('azurite')

/** More than a thousand keys are proven of the first form; pages of ten find two hundred of them many. */
const fewKeys = conformanceCases.filter(({ name }) => soaking || !name.includes('more than a thousand'))

const stores: readonly (readonly [name: string, cases: readonly ConformanceCase[], make: (container: string) => ObjectStore])[] = [
  ['as it is', conformanceCases, (container) => azuriteStore(azurite.server, { container })],
  [
    'in blocks of 64 KiB, pages of 10',
    fewKeys,
    (container) => azuriteStore(azurite.server, { container, bufferBytes: 65_536, pageSize: 10 }),
  ],
  [
    'with retries and a prefix',
    conformanceCases,
    (container) => withPrefix(withRetry(azuriteStore(azurite.server, { container }), quickly), 'some/folder'),
  ],
]

/** Names of cases with a name that is refused: `names.test.ts` shows the others. */
const refused = Object.keys(storageFacts.refused)

describe.skipIf(azurite.missing !== undefined).each(formsToRun(stores, 2))(`Azure store on ${azurite.title}, %s`, (_name, cases, make) => {
  let store: ObjectStore
  beforeAll(async () => {
    store = make(await azurite.server.createContainer())
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
  })
  it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (name, item) => {
    expect(item.needs?.(store) ?? true).toBe(true)
    if (!refused.includes(name)) {
      await item.run(store)
      return
    }
    const error: unknown = await item.run(store).catch((error: unknown) => error)
    expect(isFault(error, 'invalid') && error.code).toBe('STORAGE_KEY_INVALID')
    expect(String(error)).toContain('backslash')
  })
  it('claims what the reference of storages says', () => {
    expect(store.capabilities).toMatchObject(storageFacts.capabilities)
  })
})

describe.skipIf(azurite.missing !== undefined)(`Azure store on ${azurite.title}, larger cases`, () => {
  let small: ObjectStore
  let usual: ObjectStore
  beforeAll(async () => {
    small = azuriteStore(azurite.server, { container: await azurite.server.createContainer(), bufferBytes: storageFacts.partBytes })
    usual = azuriteStore(azurite.server, { container: await azurite.server.createContainer() })
  })
  afterAll(async () => {
    await small[Symbol.asyncDispose]()
    await usual[Symbol.asyncDispose]()
  })
  const cases = [...partCases(storageFacts.partBytes), ...raceCases(storageFacts.races)]
  it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_name, item) => {
    expect(item.needs?.(small) ?? true).toBe(true)
    await item.run(small)
  })
  it.each(formsToRun(largeCases, 0).map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_name, item) =>
    item.run(usual),
  )
})
