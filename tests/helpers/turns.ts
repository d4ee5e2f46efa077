export * from "../../lib/testing/compliance/turns.ts";
