import { spawn } from 'node:child_process'

/** Runs a program in the environment of this one. @throws Error with its output when it does not end with 0. */
export function run(command: string, args: readonly string[], options: { readonly cwd: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${String(code)}:\n${output}`))
    })
  })
}
