import { fileURLToPath } from 'node:url'

/** Absolute path of the checkout, with no '/' at its end. */
export const workspaceRoot: string = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
