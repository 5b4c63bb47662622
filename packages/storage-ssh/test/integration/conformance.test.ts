import { afterAll, describe, expect, it } from 'vitest'
import { withRetry } from '@waltz/storage'
import { conformanceCases, largeCases, partCases, raceCases } from '@waltz/storage/conformance'
import { formsToRun, sharedServer } from '@waltz/testkit'
import { createSshStore, type SshStoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { optionsFor, retry } from '../support/store-options.ts'

const sshd = await sharedServer('sshd')

const variants: readonly (readonly [name: string, options: Partial<SshStoreOptions>])[] = [
  ['as it is by default', {}],
  ['with one connection', { connections: 1 }],
  ['in small parts', { partBytes: 65_536, partsInFlight: 4 }],
]

describe.skipIf(sshd.missing !== undefined).each(formsToRun(variants))(`${sshd.title}, %s`, (_name, options) => {
  const opened =
    sshd.missing === undefined
      ? sshd.server.createFolder().then((root) => createSshStore(optionsFor(sshd.server, root, options)))
      : undefined
  afterAll(async () => (await opened)?.[Symbol.asyncDispose]())

  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (name, item) => {
    const store = await opened
    expect(store).toBeDefined()
    if (store === undefined) return
    // SFTP tells nothing that changes with every change of the bytes, so nothing can be replaced on condition: the only claim that is missing.
    const claimed = item.needs?.(store) ?? true
    expect(claimed).toBe(!/^(of many racing )?ifMatch /.test(name))
    if (claimed) await item.run(store)
    const store2 = withRetry(store, retry)
    if (claimed && name.includes('abort')) await item.run(store2)
  })
  it('claims what the reference of storages says', async () => {
    expect((await opened)?.capabilities).toMatchObject(storageFacts.capabilities)
  })
})

describe.skipIf(sshd.missing !== undefined)(`${sshd.title}, larger cases`, () => {
  const cases = [...partCases(storageFacts.partBytes), ...raceCases(storageFacts.races)]
  it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_name, item) => {
    await using store = createSshStore(optionsFor(sshd.server, await sshd.server.createFolder(), { partBytes: storageFacts.partBytes }))
    expect(item.needs?.(store) ?? true).toBe(true)
    await item.run(store)
  })
  it.each(formsToRun(largeCases, 0).map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_name, item) => {
    await using store = createSshStore(optionsFor(sshd.server, await sshd.server.createFolder()))
    await item.run(store)
  })
})
