import { Fault, type FullsWord, type RemovalPlan, type RemovalResult, type RemovalWish } from '@waltz/backup-kit'
import { parseJson } from '@waltz/repository'
import type { Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'
import { logRemovalEvent, renderFailures, renderRemovalJson, renderRemovalPlan, sayRemovalSums } from './delete.render.ts'

/** `delete retain`. Resolves to 0. @throws Fault `invalid` `USAGE`; those of the deletion. */
export async function runDeleteRetain(invocation: Invocation): Promise<number> {
  const { args, flags } = invocation
  const command = 'delete retain'
  const [word, text] = args.length === 2 ? args : [undefined, args[0]]
  if (word !== undefined && word !== 'FULL' && word !== 'FIND_FULL')
    throw usageFault(`${JSON.stringify(word)} is neither FULL nor FIND_FULL`, { command })
  if (!/^\d{1,9}$/.test(text ?? '') || Number(text) < 1)
    throw usageFault(`the number of backups to keep is a whole number from 1, not ${JSON.stringify(text)}`, { command })
  const after = flags['after']
  return await runDelete(invocation, {
    mode: 'retain',
    count: Number(text),
    fulls: word satisfies FullsWord | undefined,
    ...(typeof after === 'string' && { after }),
  })
}

/** `delete before`. */
export async function runDeleteBefore(invocation: Invocation): Promise<number> {
  const { word, rest } = findFullWord(invocation.args, 'delete before')
  return await runDelete(invocation, { mode: 'before', what: rest ?? '', findFull: word })
}

/** `delete everything`. */
export async function runDeleteEverything(invocation: Invocation): Promise<number> {
  const [word] = invocation.args
  if (word !== undefined && word !== 'FORCE') throw usageFault(`${JSON.stringify(word)} is not FORCE`, { command: 'delete everything' })
  return await runDelete(invocation, { mode: 'everything', force: word === 'FORCE' })
}

/** `delete target`. */
export async function runDeleteTarget(invocation: Invocation): Promise<number> {
  const command = 'delete target'
  const text = invocation.flags['target-user-data']
  const { word, rest } = findFullWord(invocation.args, command)
  if ((rest === undefined) === (text === undefined))
    throw usageFault(
      rest === undefined ? 'delete target takes a name or --target-user-data' : 'a name and --target-user-data exclude each other',
      { command },
    )
  const wish = { mode: 'target', findFull: word } as const
  if (typeof text !== 'string') return await runDelete(invocation, { ...wish, name: rest })
  return await runDelete(invocation, { ...wish, userData: userDataOf(text) })
}

function userDataOf(text: string): unknown {
  try {
    return parseJson(text, { origin: '--target-user-data' })
  } catch {
    throw usageFault('--target-user-data is not valid JSON', {
      command: 'delete target',
      hint: 'put a text into double quotes inside single ones',
    })
  }
}

/** `delete garbage`. */
export async function runDeleteGarbage(invocation: Invocation): Promise<number> {
  const [area] = invocation.args
  if (area !== undefined && area !== 'ARCHIVES' && area !== 'BACKUPS')
    throw usageFault(`${JSON.stringify(area)} is neither ARCHIVES nor BACKUPS`, { command: 'delete garbage' })
  return await runDelete(invocation, { mode: 'garbage', area, withoutBackupCheck: invocation.flags['without-backup-check'] === true })
}

function findFullWord(args: readonly string[], command: string): { readonly word: boolean; readonly rest: string | undefined } {
  const [first, second] = args
  if (args.length < 2) return { word: false, rest: first }
  if (first !== 'FIND_FULL') throw usageFault(`${JSON.stringify(first)} is not FIND_FULL`, { command })
  return { word: true, rest: second }
}

/** Plans what a wish means and shows it; with `confirm` or `plan` among the flags, deletes it. @throws Fault as the kit's deletion. */
export async function runDelete(invocation: Invocation, wish: RemovalWish): Promise<number> {
  const { flags, io, log, json, progress } = invocation
  const kit = await invocation.openKit()
  const planId = flags['plan']
  const options = {
    wish,
    command: commandText(wish),
    byStartTime: flags['use-sentinel-time'] === true,
    signal: io.signal,
    observe: logRemovalEvent(log),
    ...(typeof planId === 'string' && { planId }),
  }
  if (flags['confirm'] !== true && planId === undefined) {
    await using plan = await kit.planRemoval(options)
    progress.finish()
    show(invocation, plan)
    if (json) io.stdout(renderRemovalJson(plan))
    else if (plan.nothing === undefined) log.info(dryRunText(wish, plan.id))
    return 0
  }
  let plan: RemovalPlan | undefined
  const result = await kit.applyRemoval({
    ...options,
    onPlan: (found) => {
      plan = found
      show(invocation, found)
    },
  })
  progress.finish()
  if (!json) io.stdout(renderFailures(result))
  else if (plan !== undefined) io.stdout(renderRemovalJson(plan, result))
  if (result.removed.objects > 0) log.info(`${result.removed.objects} objects deleted (plan ${result.planId})`)
  if (result.failed + result.notTried > 0) throw incompleteFault(result)
  return 0
}

function show({ io, log, json }: Invocation, plan: RemovalPlan): void {
  if (!json) io.stdout(renderRemovalPlan(plan))
  sayRemovalSums(plan, log)
}

function dryRunText({ mode }: RemovalWish, id: string): string {
  const way = mode === 'policies' ? `waltz retention apply deletes, with --plan ${id}` : `--confirm deletes, --plan ${id} deletes`
  return `nothing was deleted: this was a dry run; ${way} exactly this`
}

function commandText(wish: RemovalWish): string {
  if (wish.mode === 'retain')
    return ['delete retain', wish.fulls, wish.count, wish.after && `--after ${wish.after}`].filter(Boolean).join(' ')
  if (wish.mode === 'before') return `delete before ${wish.findFull === true ? 'FIND_FULL ' : ''}${wish.what}`
  if (wish.mode === 'everything') return `delete everything${wish.force === true ? ' FORCE' : ''}`
  if (wish.mode === 'target') return `delete target ${wish.findFull === true ? 'FIND_FULL ' : ''}${wish.name ?? '--target-user-data ...'}`
  return wish.mode === 'garbage' ? `delete garbage${wish.area === undefined ? '' : ` ${wish.area}`}` : 'retention apply'
}

function incompleteFault({ failures, failed, notTried, removed, locked }: RemovalResult): Fault {
  const [first] = failures
  const kinds = new Set(failures.map(({ fault: { kind } }) => kind))
  const kind = kinds.size === 1 ? ([...kinds][0] ?? 'unavailable') : 'unavailable'
  const more = notTried === 0 ? '' : `, and ${notTried} were not tried because of that`
  const { key = 'unknown', fault } = first ?? {}
  return new Fault(
    kind,
    'REMOVAL_INCOMPLETE',
    `${countText(failed)} could not be deleted${more}; the first is ${key}: ${fault?.message ?? ''}`,
    {
      hint: lockHint(locked) ?? fault?.hint ?? 'what was begun is noted in the repository: the next deletion goes on with it',
      context: { failed, notTried, deleted: removed.objects },
      cause: fault,
      retryable: false,
    },
  )
}

const countText = (objects: number): string => `${objects} ${objects === 1 ? 'object' : 'objects'}`

function lockHint({ until }: RemovalResult['locked']): string | undefined {
  return until === undefined ? undefined : `the last of the locks ends at ${until.toISOString()}: run the same command again after that`
}
