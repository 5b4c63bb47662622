import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import type { MaintainedStore } from '@waltz/storage'
import { swiftServers, swiftStore } from '../support/store.ts'

const ROUNDS = 200

for (const server of await swiftServers()) {
  describe.skipIf(server.missing !== undefined)(`create-only puts on ${server.title}`, () => {
    let container: string
    let claiming: MaintainedStore
    beforeAll(async () => {
      container = await server.container()
      claiming = swiftStore(server.account(), { container, conditionalPut: true })
    })
    afterAll(async () => claiming[Symbol.asyncDispose]())

    it(`are not atomic, which is why nothing is claimed: ${ROUNDS} races of six writers`, async () => {
      let several = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 6 }, (_, index) => claiming.put(`race/${round}`, sourceOf(`writer ${index}`), { onlyIfAbsent: true })),
        )
        if (outcomes.filter(({ status }) => status === 'fulfilled').length > 1) several += 1
      }
      console.info(`${server.title}: ${several} of ${ROUNDS} races had more than one winner`)
      expect(several).toBeGreaterThan(0)
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
