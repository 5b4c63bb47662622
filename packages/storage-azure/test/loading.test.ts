import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const SCRIPT = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context) } })
const azure = (name) => loaded.some((url) => url.includes('/@azure/' + name))
const { createAzureStore } = await import('@waltz/storage-azure')
const { createByteBudget } = await import('@waltz/storage')
const sleep = () => new Promise(() => undefined)
const retry = { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0, random: () => 0, sleep }
const store = createAzureStore({
  account: 'account', container: 'container', endpoint: 'http://127.0.0.1:1/account', credentials: { kind: 'account-key', accountKey: 'AAAA' },
  retry, budget: createByteBudget(1), now: () => new Date(), sleep, randomHex: () => '',
})
console.log(azure('storage-blob'), azure('identity'))
await store.head('x').catch(() => undefined) // nobody listens there: what counts is what was loaded
console.log(azure('storage-blob'), azure('identity'))
process.exit()
`

it('the SDK is loaded by the first call, the identity library not at all without tokens', { timeout: 60_000 }, () => {
  const output = execFileSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', SCRIPT], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  })
  expect(output).toBe('false false\ntrue false\n')
})
