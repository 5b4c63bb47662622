import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import type { MaintainedStore } from '@waltz/storage'
import { sleep, swiftServers, swiftStore } from '../support/store.ts'

const BEGIN_BYTES = 400_000
/** How long before the quick writer the slow one begins: long enough at last for any machine. */
const HEAD_STARTS_MS = [200, 1000, 3000, 6000]

for (const server of await swiftServers()) {
  describe.skipIf(server.missing !== undefined)(`create-only puts on ${server.title}`, () => {
    let container: string
    let claiming: MaintainedStore
    beforeAll(async () => {
      container = await server.container()
      claiming = swiftStore(server.account(), { container, conditionalPut: true, partBytes: 65_536 })
    })
    afterAll(async () => claiming[Symbol.asyncDispose]())

    it('are not atomic, which is why nothing is claimed: a slow writer and a quick one both succeed', async () => {
      // The server has looked for the object when the slow writer's bytes begin to pass, and looks no more when they end.
      for (const [round, headStartMs] of HEAD_STARTS_MS.entries()) {
        const key = `race/${round}`
        const gate = Promise.withResolvers<void>()
        async function* slowly(): AsyncGenerator<Uint8Array> {
          yield new Uint8Array(BEGIN_BYTES)
          await gate.promise
          yield new Uint8Array(1)
        }
        const slow = claiming.put(key, slowly(), { onlyIfAbsent: true, size: BEGIN_BYTES + 1 })
        await sleep(headStartMs)
        const quick = claiming.put(key, sourceOf('quick'), { onlyIfAbsent: true }).finally(() => gate.resolve())
        const outcomes = await Promise.allSettled([slow, quick])
        if (outcomes.every(({ status }) => status === 'fulfilled')) return
      }
      expect.fail('one of two writers was refused each time, however long the first one had been at it')
    })

    it('are refused unless somebody claims otherwise', async () => {
      await using store = swiftStore(server.account(), { container })
      expect(store.capabilities).toMatchObject({ conditionalPut: false, conditionalMultipart: 'none', ifMatch: false })
      const refused = { kind: 'unsupported', code: 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED' }
      await expect(store.put('free', sourceOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject(refused)
      await expect(store.put('free', sourceOf('x'), { ifMatch: 'abc' })).rejects.toMatchObject(refused)
      await expect(store.head('free')).rejects.toMatchObject({ kind: 'not-found' })
    })
  })
}
