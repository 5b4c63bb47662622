import { Fault } from '@waltz/errors'
import type { AnyAuthMethod, AuthenticationType, BaseAgent, KeyboardInteractiveCallback, ParsedKey, Prompt, createAgent, utils } from 'ssh2'
import type { SshAuthentication } from './options.ts'

/** What is needed of the module `ssh2`, which is loaded late. */
export interface Ssh2 {
  readonly createAgent: typeof createAgent
  readonly utils: Pick<typeof utils, 'parseKey'>
}

/** The ways to prove who the user is, in the order in which they are tried. */
export interface Credentials {
  /** For the hook of ssh2: the next way, or false when none is left. */
  readonly next: (allowed: readonly AuthenticationType[] | null) => AnyAuthMethod | false
  /** For messages: what was tried, what the server does not take, what could not be used. Holds no secret. */
  readonly tried: () => string
}

/**
 * Prepares the ways to log in: private key, agent, password, each only if it is given. An agent that does not answer is passed over and
 * told in `tried`.
 * @throws Fault `invalid` `STORAGE_PRIVATE_KEY_INVALID`.
 */
export async function prepareCredentials(ssh2: Ssh2, user: string, authentication: SshAuthentication): Promise<Credentials> {
  const methods: (readonly [name: string, method: AnyAuthMethod])[] = []
  const notes: string[] = []
  const { privateKey, agentSocket, password } = authentication
  if (privateKey !== undefined) {
    const key = readPrivateKey(ssh2, privateKey.text, privateKey.passphrase)
    methods.push([`private key (${key.type})`, { type: 'publickey', username: user, key }])
  }
  if (agentSocket !== undefined) {
    const agent = ssh2.createAgent(agentSocket)
    const keys = await countKeys(agent)
    if (typeof keys === 'string') notes.push(`the agent at ${agentSocket} was of no use: ${keys}`)
    else methods.push([`agent (${keys} keys)`, { type: 'agent', username: user, agent }])
  }
  if (password !== undefined) methods.push(...passwordMethods(user, password))
  const rest = methods.values()
  return {
    next(allowed) {
      for (const [name, method] of rest) {
        if (allowed !== null && allowed.length > 0 && !allowed.includes(method.type === 'agent' ? 'publickey' : method.type)) {
          notes.push(`the server takes no ${name}`)
          continue
        }
        notes.push(name)
        return method
      }
      return false
    },
    tried: () => (notes.length === 0 ? 'none' : notes.join(', ')),
  }
}

function readPrivateKey(ssh2: Ssh2, text: string, passphrase: string | undefined): ParsedKey {
  const parsed = ssh2.utils.parseKey(text, passphrase) as ParsedKey | readonly ParsedKey[] | Error
  if (parsed instanceof Error) throw keyFault(parsed.message)
  const key = Array.isArray(parsed) ? (parsed as readonly ParsedKey[])[0] : (parsed as ParsedKey)
  if (key?.isPrivateKey() !== true) throw keyFault('it is not a private key')
  return key
}

function keyFault(why: string): Fault {
  return new Fault('invalid', 'STORAGE_PRIVATE_KEY_INVALID', `the private key for the SSH server cannot be used: ${why}`, {
    hint: 'give the file of a private key in the format of OpenSSH or PEM, and its passphrase if it has one',
  })
}

/** The number of keys that an agent holds, or why it does not tell. */
function countKeys(agent: BaseAgent): Promise<number | string> {
  return new Promise((resolve) => {
    try {
      agent.getIdentities((error, keys) => {
        if (error !== undefined && error !== null) resolve(error.message)
        else resolve(keys === undefined || keys.length === 0 ? 'it holds no keys' : keys.length)
      })
    } catch (error) {
      resolve((error as Error).message)
    }
  })
}

/** Many servers ask for the password as a question instead. Only a single hidden question is answered, and only once. */
function passwordMethods(user: string, password: string): readonly (readonly [string, AnyAuthMethod])[] {
  let answered = false
  return [
    ['password', { type: 'password', username: user, password }],
    [
      'password as an answer',
      {
        type: 'keyboard-interactive',
        username: user,
        prompt: (...[, , , prompts, finish]: [string, string, string, Prompt[], KeyboardInteractiveCallback]) => {
          const [only] = prompts
          const fits = !answered && prompts.length === 1 && only?.echo !== true
          if (fits) answered = true
          finish(fits ? [password] : prompts.map(() => ''))
        },
      },
    ],
  ]
}
