SET lock_timeout = '5s';

DROP FUNCTION remove_photo_of(uuid);
