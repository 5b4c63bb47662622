import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parsePolicies, type RetentionPolicy } from '@waltz/retention-policy'
import type { Invocation } from '../command.ts'
import { usageFault } from '../usage-fault.ts'
import { runDelete } from './delete/delete.run.ts'

/** `retention plan`. Resolves to 0. @throws Fault `invalid` `USAGE`, `RETENTION_RULE_INVALID`; those of the deletion. */
export async function runRetentionPlan(invocation: Invocation): Promise<number> {
  return await runRetention(invocation, false)
}

/** `retention apply`. Resolves to 0 when everything was deleted. @throws as `runRetentionPlan`. */
export async function runRetentionApply(invocation: Invocation): Promise<number> {
  return await runRetention(invocation, true)
}

async function runRetention(invocation: Invocation, confirm: boolean): Promise<number> {
  const { flags } = invocation
  const command = confirm ? 'retention apply' : 'retention plan'
  const policies = await readPolicies(invocation, command)
  const series = flags['series']
  if (typeof series === 'string' && !/^\d{1,20}$/.test(series))
    throw usageFault(`--series is a system identifier, not ${JSON.stringify(series)}`, { command })
  return await runDelete(
    { ...invocation, flags: { ...flags, confirm } },
    { mode: 'policies', policies, ...(typeof series === 'string' && { series }) },
  )
}

async function readPolicies({ settings, io }: Invocation, command: string): Promise<readonly RetentionPolicy[]> {
  const { retention, retentionFile } = settings
  if ((retention === undefined) === (retentionFile === undefined)) {
    throw usageFault(
      retention === undefined ? 'there is no retention policy' : 'WALTZ_RETENTION and WALTZ_RETENTION_FILE exclude each other',
      { command, hint: 'set one of WALTZ_RETENTION (--policy) and WALTZ_RETENTION_FILE (--policy-file), for example --policy last=7' },
    )
  }
  if (retentionFile === undefined) return parsePolicies(retention ?? '')
  try {
    const text = await readFile(resolve(io.cwd, retentionFile), 'utf8')
    return parsePolicies(text.replaceAll(/#.*$/gm, ''))
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error)) throw error
    throw usageFault(`the retention policy ${retentionFile} cannot be read: ${error.message}`, { command })
  }
}
