import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { sharedServer } from '@waltz/testkit'

const azurite = await sharedServer('azurite')

describe.skipIf(azurite.missing !== undefined)(`the README, on ${azurite.title}`, () => {
  it('has an example that runs as it stands', { timeout: 60_000 }, async () => {
    const cwd = new URL('../..', import.meta.url)
    const example = /```ts\n(.*?)```/s.exec(readFileSync(new URL('README.md', cwd), 'utf8'))?.[1] ?? ''
    const { account, accountKey, endpoint } = azurite.server
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module-typescript', '-e', example], {
      cwd,
      env: {
        AZURE_STORAGE_ACCOUNT: account,
        AZURE_STORAGE_ACCESS_KEY: accountKey,
        AZURE_ENDPOINT: endpoint,
        AZURE_CONTAINER: await azurite.server.createContainer(),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    expect(await text(child.stdout)).toMatch(/^wal_005\/0{7}1\S+ 11 .*Z\nwal_005\/\S+2.lz4 11 .*Z\none\n$/)
  })
})
