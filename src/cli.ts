#!/usr/bin/env node
import nodeModule from 'node:module'
import { runCommandLine } from './command-line.js'

// A reader that has seen enough (`… | head`) ends the command, and is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

// So that the next start need not compile what this one has. The types are those of Node 20, which lacks it.
const { enableCompileCache } = nodeModule as { enableCompileCache?(): unknown }
enableCompileCache?.()

process.exitCode = await runCommandLine(process.argv.slice(2), process)
