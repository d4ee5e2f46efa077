export * from "../../lib/testing/compliance/pair.ts";
