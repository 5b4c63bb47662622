import { readdirSync } from 'node:fs'
import { formsToRun, temporaryFolder } from '@waltz/testkit'
import { sharedKinds } from '@waltz/testkit/servers'
import { describe, expect, test } from 'vitest'
import { processesOf, startDemo } from '../support/start-demo.ts'

const servers = { s3: 'radosgw', ssh: 'sshd', azure: 'azurite', swift: 'swift' } as const

// The journey of the command's own tests goes through all storages; the demo goes through one of them beside the folder unless there is time.
describe.each(formsToRun(Object.entries(servers) as [keyof typeof servers, (typeof servers)[keyof typeof servers]][]))(
  '--storage %s',
  (kind, server) => {
    const missing = sharedKinds[server].missing()
    const lacking = missing.length === 0 ? '' : ` (not installed: ${missing.join(', ')}; ${sharedKinds[server].install})`

    test.skipIf(missing.length > 0)(`the journey ends with its proof${lacking}`, async () => {
      await using folder = temporaryFolder()
      const { code, stdout, stderr } = await startDemo(folder.path, '--storage', kind).exited
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(stdout).toContain('Proven: every row of that moment is back')
      expect(stdout).toMatch(/^ 1 {2}The repository is a .*, a real server that was started for this\.$/m)
      // Both lie in the storage, compressed, and nothing of them is counted as nothing.
      expect(stdout).toMatch(/^ +backup +[\d.]+ MiB +[1-9][\d.]* MiB +[1-9]/m)
      expect(stdout).toMatch(/^ +WAL \([1-9]\d* segments\) +[\d.]+ MiB +[1-9][\d.]* [MK]iB +[1-9]/m)
      expect(readdirSync(folder.path).filter((name) => !name.startsWith('waltz-testkit-'))).toEqual([])
      expect(processesOf(folder.path)).toEqual([])
    })

    test.skipIf(missing.length > 0)(`Ctrl-C stops the server too${lacking}`, async () => {
      await using folder = temporaryFolder()
      const demo = startDemo(folder.path, `--storage=${kind}`)
      await demo.waitFor(/new and empty/)
      demo.kill('SIGINT')
      expect((await demo.exited).code).toBe(130)
      expect(readdirSync(folder.path).filter((name) => !name.startsWith('waltz-testkit-'))).toEqual([])
      expect(processesOf(folder.path)).toEqual([])
    })
  },
)
