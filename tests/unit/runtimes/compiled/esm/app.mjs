function n(t){let e=0;for(let r of t){if(r.cents===null)throw new RangeError(`${r.name} has no price`);e+=r.cents}return e}var s=async t=>{try{return n(t.items)}catch(e){if(!t.quiet)throw e;return console.error("refused",e),-1}};export{s as handler};
//# sourceMappingURL=app.mjs.map
