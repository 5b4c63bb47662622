/** The fault cases of a store as tests of vitest: apart from the rest of the test kit, which works without a test runner. */
import { networkFaultCases, type NetworkFaultCase, type NetworkFixture } from '@waltz/storage/conformance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFaultProxy, type FaultProxy } from './fault-proxy.ts'
import { casesFirstIn, reasonAgainst, type NetworkForm } from './network-forms.ts'
import { soaking } from './soak.ts'

/** A server behind the network, and the stores that reach it. */
export interface FaultGround {
  readonly target: { readonly host: string; readonly port: number }
  /** What one case needs, given a network of its own: everything but that and the form. */
  fixture(network: FaultProxy): Pick<NetworkFixture, 'open' | 'openUnresolvable' | 'direct' | 'leftovers'>
  /** Lets go of what was opened. */
  close(): Promise<void>
}

/** What a store supplies to have its fault cases run. */
export interface NetworkFaultTests<Form extends NetworkForm> {
  /** Says of what. */
  readonly title: string
  /** Why the server is not there; undefined when it is. */
  readonly missing: string | undefined
  readonly forms: readonly Form[]
  /** Fewer cases at the same time than the runner's `maxConcurrency`: for protocols whose connections cost much. */
  readonly atOnce?: number
  open(form: Form): Promise<FaultGround>
}

/**
 * Registers the fault cases of a store: each in the first form that it applies to, when soaking in every one. They wait most of the
 * time, so they run at the same time, as many as the runner's `maxConcurrency` says, each behind a network of its own. What applies
 * to no form is held against the reasons that the forms state.
 */
export function testNetworkFaults<Form extends NetworkForm>({ title, missing, forms, atOnce, open }: NetworkFaultTests<Form>): void {
  describe.skipIf(missing !== undefined).each(forms.map((form, index) => ({ ...form, form, index })))(
    `${title}, $name`,
    ({ form, index }) => {
      const cases = soaking
        ? networkFaultCases.filter((item) => reasonAgainst(item, form) === undefined)
        : casesFirstIn(forms, index, networkFaultCases)
      const proxies = new Map<NetworkFaultCase, FaultProxy>()
      const inTurn = createTurns(atOnce ?? Infinity)
      let ground: FaultGround
      beforeAll(async () => {
        ground = await open(form)
        // All of them before the first case: a port that is closed for a while is taken by no other proxy then.
        for (const item of cases) proxies.set(item, await createFaultProxy({ target: ground.target }))
      })
      afterAll(async () => {
        await ground?.close()
        for (const proxy of proxies.values()) await proxy.close()
      })

      it('has a stated reason for every fault that cannot happen, and no other', () => {
        const reasons = networkFaultCases.flatMap((item) => reasonAgainst(item, form) ?? [])
        expect([...new Set(reasons)].toSorted()).toEqual(form.cannotHappen.toSorted())
      })
      it.concurrent.for(cases.map((item) => ({ title: `${item.fault} ${item.name}`, item })))(
        '$title',
        { timeout: 120_000 },
        async ({ item }) => {
          const network = proxies.get(item)
          if (network === undefined) throw new Error('the case has no network')
          const { http, partBytes, requests } = form
          const fixture = { network, http, partBytes, ...(requests === undefined ? {} : { requests }), ...ground.fixture(network) }
          expect(item.notApplicable(fixture)).toBeUndefined()
          await inTurn(() => item.run(fixture))
        },
      )
    },
  )
}

/** Lets at most `limit` of what is given to it run at the same time. */
function createTurns(limit: number): (run: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (run) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      await run()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}
